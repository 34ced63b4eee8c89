#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void rwd_require_failed(const char *condition, const char *file, int line, const char *function)
{
    (void)fprintf(stderr,
        "level=fatal module=check at=%s:%d function=%s msg=\"broken invariant: %s\"\n", file, line,
        function, condition);
    abort();
}
