/*
 * replay: runs a fuzz target over every file of a folder, so that a kept corpus is a normal test in
 * builds without libFuzzer. Each file is also cut at every length up to 64 and at eight places past
 * it: torn input is where readers slip.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_SIZE_MAX = 1 << 20 };

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc(FILE_SIZE_MAX);
    size_t size = fread(data, 1, FILE_SIZE_MAX, file);
    (void)fclose(file);
    size_t step = 1;
    for (size_t cut = 0; cut < size; cut += step) {
        uint8_t *torn = malloc(cut + 1);
        memcpy(torn, data, cut);
        (void)LLVMFuzzerTestOneInput(torn, cut);
        free(torn);
        step = cut < 64 ? 1 : size / 8 + 1;
    }
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER (which must exist)\n", argv[0]);
        return 2;
    }
    int files = 0;
    int failed = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed += replay_file(path);
        files++;
    }
    (void)closedir(folder);
    (void)printf("%d corpus files replayed\n", files);
    return failed != 0 || files == 0;
}
