/* A clock that a test can set wrong: preloaded into a process, it adds to the time of day what stands, in milliseconds, in the
   file $OTKLIK_CHAOS_CLOCKS/<pid>. Monotonic clocks are left alone, as they are on a real machine whose clock is stepped. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*real_gettime)(clockid_t, struct timespec *);
static __thread long long looked_at;
static volatile long long skew_ms;

static long long skew(void) {
    struct timespec now;
    real_gettime(CLOCK_MONOTONIC, &now);
    long long ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
    if (looked_at != 0 && ms - looked_at < 100) return skew_ms;
    looked_at = ms;
    const char *folder = getenv("OTKLIK_CHAOS_CLOCKS");
    if (folder == NULL) return 0;
    char path[4096], text[32];
    snprintf(path, sizeof path, "%s/%d", folder, (int)getpid());
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return skew_ms = 0;
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length < 0) return skew_ms;
    text[length] = 0;
    return skew_ms = atoll(text);
}

int clock_gettime(clockid_t clock, struct timespec *into) {
    if (real_gettime == NULL) real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real_gettime(clock, into);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long ms = skew();
        into->tv_sec += ms / 1000;
        into->tv_nsec += ms % 1000 * 1000000;
        if (into->tv_nsec < 0) into->tv_nsec += 1000000000, into->tv_sec -= 1;
        if (into->tv_nsec >= 1000000000) into->tv_nsec -= 1000000000, into->tv_sec += 1;
    }
    return done;
}

int gettimeofday(struct timeval *restrict into, void *restrict zone) {
    (void)zone;
    struct timespec now;
    int done = clock_gettime(CLOCK_REALTIME, &now);
    into->tv_sec = now.tv_sec;
    into->tv_usec = now.tv_nsec / 1000;
    return done;
}

time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into != NULL) *into = now.tv_sec;
    return now.tv_sec;
}
