/* The statuses of the public header are those of base/status.h. The public header comes first here, so that its list
 * counts: every row of base's table must be in it under the same name, with the same number, and the other way round. */
#include "include/llmc_runtime.h"

#include "base/status.h"

#define SAME_NUMBER(code, number, exit_status, words) \
    _Static_assert((code) == (number), "the public header has another number for " #code);
LLMC_STATUS_TABLE(SAME_NUMBER)
#undef SAME_NUMBER

/* The compiler warns of a status that has no case. */
static inline __attribute__((unused)) void every_status_has_a_row(llmc_status status)
{
    switch (status) {
#define CASE(code, number, exit_status, words) case code:
        LLMC_STATUS_TABLE(CASE)
#undef CASE
        break;
    }
}
