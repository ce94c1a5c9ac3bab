// power-loss MOUNT-POINT…: the power fails on all these file systems at once. What no journal or
// sync brought to the disk is gone; every later write fails until the next mount.
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define MOST 16
#define FS_IOC_SHUTDOWN _IOR('X', 125, uint32_t)
#define NO_LOG_FLUSH 2

int main(int count, char **paths) {
  int files[MOST];
  if (count < 2 || count > MOST) return 64;
  for (int at = 1; at < count; at++) {
    files[at] = open(paths[at], O_RDONLY);
    if (files[at] < 0) {
      perror(paths[at]);
      return 1;
    }
  }
  // Opened first, so that nothing but the calls themselves lies between the first and the last.
  for (int at = 1; at < count; at++) {
    uint32_t how = NO_LOG_FLUSH;
    if (ioctl(files[at], FS_IOC_SHUTDOWN, &how) != 0) {
      perror(paths[at]);
      return 1;
    }
  }
  return 0;
}
