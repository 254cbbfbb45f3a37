/* Any bytes as a safetensors file: refused, or every view can be read to its end. */
#include "model/safetensors.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0)
        return 0;
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    st_safetensors *reader;
    if (write(fd, data, size) == (ssize_t)size &&
        st_safetensors_open(&reader, path).code == ST_OK) {
        unsigned sum = 0;
        for (size_t i = 0; i < st_safetensors_count(reader); i++) {
            const st_named_tensor *named = st_safetensors_at(reader, i);
            const unsigned char *bytes = named->tensor.data;
            for (size_t k = 0; k < st_tensor_bytes(&named->tensor); k++)
                sum += bytes[k];
            if (st_safetensors_find(reader, named->name) != &named->tensor)
                __builtin_trap();
        }
        (void)sum;
        st_safetensors_close(reader);
    }
    close(fd);
    return 0;
}
