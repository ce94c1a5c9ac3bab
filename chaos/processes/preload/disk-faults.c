// Preloaded into a node: makes syncs and writes of files slow, failing or void, as a control file
// says at the moment of each call. The file named by PARLEY_DISK_FAULTS holds one rule a line:
//
//   sync|write  delay|fail|skip  VALUE  PART-OF-PATH
//
// delay: milliseconds before the real call. fail: the errno that is returned instead of it. skip: a
// sync that reports success and does nothing. The first rule that fits a call is taken. Each use is
// appended to the same path with ".hits" added, so that a test can tell that it harmed anything.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static const char *control;

__attribute__((constructor)) static void begin(void) {
  *(void **)&real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  *(void **)&real_fsync = dlsym(RTLD_NEXT, "fsync");
  *(void **)&real_write = dlsym(RTLD_NEXT, "write");
  *(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
  *(void **)&real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  control = getenv("PARLEY_DISK_FAULTS");
}

static void report(const char *operation, const char *action, const char *path) {
  char name[512], line[1024];
  snprintf(name, sizeof name, "%s.hits", control);
  int length = snprintf(line, sizeof line, "%s %s %s\n", operation, action, path);
  int file = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  if (real_write(file, line, (size_t)length) < 0) abort();
  close(file);
}

static void pause_ms(long milliseconds) {
  struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

// What is to be done instead of the real call: 0 the call itself, -1 nothing, else an errno.
static int fault(const char *operation, int fd) {
  if (control == NULL) return 0;
  int kept = errno, result = 0;
  char rules[1024], link[64], path[512];
  int file = open(control, O_RDONLY | O_CLOEXEC);
  ssize_t length = file < 0 ? 0 : read(file, rules, sizeof rules - 1);
  if (file >= 0) close(file);
  if (length > 0) {
    rules[length] = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = 0;
    char *rest = NULL;
    for (char *rule = strtok_r(rules, "\n", &rest); rule; rule = strtok_r(NULL, "\n", &rest)) {
      char which[16], action[16], part[256];
      long value;
      if (sscanf(rule, "%15s %15s %ld %255s", which, action, &value, part) != 4) continue;
      if (strcmp(which, operation) != 0 || strstr(path, part) == NULL) continue;
      report(operation, action, path);
      if (strcmp(action, "delay") == 0) pause_ms(value);
      else result = strcmp(action, "skip") == 0 ? -1 : (int)value;
      break;
    }
  }
  errno = kept;
  return result;
}

#define FAULTY(operation, otherwise)                \
  int result = fault(operation, fd);                \
  if (result > 0) {                                 \
    errno = result;                                 \
    return -1;                                      \
  }                                                 \
  return result < 0 ? 0 : (otherwise)

int fdatasync(int fd) { FAULTY("sync", real_fdatasync(fd)); }

int fsync(int fd) { FAULTY("sync", real_fsync(fd)); }

ssize_t write(int fd, const void *data, size_t size) { FAULTY("write", real_write(fd, data, size)); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  FAULTY("write", real_writev(fd, parts, count));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  FAULTY("write", real_pwrite(fd, data, size, at));
}
