/* uketsuke: the command for staff and IT. */
#include "command.h"
#include "log.h"

#include <signal.h>

int main(int argc, char **argv)
{
    log_open("uketsuke", "", LOG_LEVEL_ERROR);
    (void)signal(SIGPIPE, SIG_IGN);
    return command_main(argc, argv, stdout, stderr);
}
