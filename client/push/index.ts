export {
  PushDevice,
  type PushInfo,
  type PushOptions,
  type WebPushSubscription,
} from './push-device.ts'
