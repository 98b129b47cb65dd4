/* What a container's program tries, by its first word; the last two are challenge and submission. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static int copy(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    int byte;
    if (!in || !out)
        return 1;
    while ((byte = fgetc(in)) != EOF)
        fputc(byte, out);
    return fclose(out) != 0;
}

static void try_to_write(const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    printf("%s: %s\n", path, file < 0 ? strerror(errno) : "written");
}

int main(int count, char **words)
{
    const char *what = count > 3 ? words[1] : "copy";
    char folder[4096];
    if (!strcmp(what, "look")) {
        printf("folder %s user %d,%d\n", getcwd(folder, sizeof folder), getuid(), geteuid());
        for (char **variable = environ; *variable; variable++)
            puts(*variable);
    }
    if (!strcmp(what, "write")) {
        const char *paths[] = {"/new", "/other", "/etc/passwd", "/challenge/challenge.h5", "/proc/x"};
        for (int i = 0; i < 5; i++)
            try_to_write(paths[i]);
    }
    fflush(stdout);
    return copy(words[count - 2], words[count - 1]);
}
