/* Counts what a program asks of the allocator (LD_PRELOAD), and says at its end: "allocations COUNT BYTES". */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static uint64_t calls, bytes;

static void count(size_t size) {
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&bytes, size, __ATOMIC_RELAXED);
}

void *malloc(size_t size) { count(size); return __libc_malloc(size); }
void *calloc(size_t many, size_t size) { count(many * size); return __libc_calloc(many, size); }
void *realloc(void *at, size_t size) { count(size); return __libc_realloc(at, size); }
void *aligned_alloc(size_t align, size_t size) { count(size); return __libc_memalign(align, size); }

int posix_memalign(void **at, size_t align, size_t size) {
  count(size);
  *at = __libc_memalign(align, size);
  return *at ? 0 : 12;
}

__attribute__((destructor)) static void say(void) {
  fprintf(stderr, "allocations %llu %llu\n", (unsigned long long)calls, (unsigned long long)bytes);
}
