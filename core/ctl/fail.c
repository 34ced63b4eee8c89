#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>

int rwd_ctl_fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("rewardctl: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    return code;
}
