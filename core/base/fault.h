/*
 * fault: places where a test can make the world go wrong, by name.
 *
 * Compiled in with RWD_FAULTS (test builds) and nothing at all otherwise. The environment chooses:
 *     REWARDD_FAULT=journal.sync.before:kill:3      kill -9 ourselves the third time we pass
 *     REWARDD_FAULT=journal.sync:error:1            the call fails there, once
 *     REWARDD_FAULT=journal.sync:error:5+           it fails from the fifth time on
 *     REWARDD_FAULT=journal.sync.before:slow:100    each time we pass takes 100 ms
 * Several are joined by ','.
 *
 *     RWD_FAULT_POINT("journal.sync.before");
 *     if (RWD_FAULT_ERROR("journal.sync") || fdatasync(fd) != 0) { ... }
 */
#ifndef RWD_BASE_FAULT_H
#define RWD_BASE_FAULT_H

#include <stdbool.h>

#if defined(RWD_FAULTS)
void rwd_fault_point(const char *name);
bool rwd_fault_error(const char *name);
#define RWD_FAULT_POINT(name) rwd_fault_point(name)
#define RWD_FAULT_ERROR(name) rwd_fault_error(name)
#else
#define RWD_FAULT_POINT(name) ((void)0)
#define RWD_FAULT_ERROR(name) false
#endif

#endif
