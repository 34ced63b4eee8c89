#include "base/status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

const char *rwd_status_name(enum rwd_status status)
{
    static const char *const names[] = {"ok", "invalid", "not_found", "conflict", "limit", "busy",
        "timeout", "unavailable", "denied", "script", "corrupt"};
    return (size_t)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

enum rwd_status rwd_fail(struct rwd_error *error, enum rwd_status status, const char *format, ...)
{
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(error->text, sizeof error->text, format, arguments);
        va_end(arguments);
    }
    return status;
}
