/* A disk that fails on demand, and a clock that is set: preloaded (LD_PRELOAD) into a process, it stands between the process and the
 * system calls that write the journal's segments, and touches no other file. LOCUM_FAULTS names a file of 32-bit numbers, shared
 * with the test: what to do from now on, and how often it was done. LOCUM_SYNCED names a file that gets a line
 * "LENGTH PATH" for each segment that a real fdatasync has brought to the disk, as far as that length. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The order is known to shim.rs. */
struct faults {
  uint32_t write_error;   /* errno of every write; 0: none */
  uint32_t short_writes;  /* 1: a write takes a random part of what it is given */
  uint32_t sync_error;    /* errno of every sync; 0: none */
  uint32_t sync_delay_ms; /* before every sync */
  int32_t clock_step_s;   /* the wall clock is ahead by so much */
  uint32_t failed_writes, cut_writes, failed_syncs, slow_syncs;
};

static struct faults *shared(void) {
  static struct faults *map;
  if (!map) {
    const char *path = getenv("LOCUM_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *map, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) abort();
    close(fd);
    map = at;
  }
  return map;
}

/* The path behind `fd`, if it is a segment of the journal. */
static const char *segment(int fd, char *path, size_t size) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  return strstr(path, "/segment-") ? path : NULL;
}

static void count(uint32_t *counter) { __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED); }

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  static ssize_t (*real)(int, const void *, size_t, off64_t);
  char path[4096];
  if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
  if (!segment(fd, path, sizeof path)) return real(fd, bytes, length, at);
  struct faults *now = shared();
  if (now->write_error) {
    count(&now->failed_writes);
    errno = (int)now->write_error;
    return -1;
  }
  if (now->short_writes && length > 1) {
    static __thread unsigned seed = 1;
    count(&now->cut_writes);
    length = 1 + (size_t)rand_r(&seed) % (length - 1);
  }
  return real(fd, bytes, length, at);
}

int fdatasync(int fd) {
  static int (*real)(int);
  char path[4096], line[4200];
  struct stat before;
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  if (!segment(fd, path, sizeof path)) return real(fd);
  struct faults *now = shared();
  if (now->sync_delay_ms) {
    count(&now->slow_syncs);
    struct timespec delay = {now->sync_delay_ms / 1000, now->sync_delay_ms % 1000 * 1000000L};
    nanosleep(&delay, NULL);
  }
  if (now->sync_error) {
    count(&now->failed_syncs);
    errno = (int)now->sync_error;
    return -1;
  }
  int stated = fstat(fd, &before), done = real(fd);
  const char *log = getenv("LOCUM_SYNCED");
  if (log && !stated && !done) {
    int out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    int length = snprintf(line, sizeof line, "%lld %s\n", (long long)before.st_size, path);
    if (out < 0 || write(out, line, (size_t)length) != length) abort();
    close(out);
  }
  return done;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(clock, at);
  if (!done && clock == CLOCK_REALTIME) at->tv_sec += shared()->clock_step_s;
  return done;
}
