/* digest.h - SHA-256 of bytes and files: how outputs name their inputs.
 *
 * May include: status.h, text.h, files.h.
 */
#ifndef ST_BASE_DIGEST_H
#define ST_BASE_DIGEST_H

#include "kernels/base/status.h"
#include "kernels/base/text.h"

typedef struct st_sha256 {
    uint32_t      state[8];
    uint64_t      bytes;
    unsigned char block[64];
} st_sha256;

typedef struct st_digest {
    unsigned char bytes[32];
} st_digest;

void      st_sha256_start(st_sha256 *h);
void      st_sha256_add(st_sha256 *h, const void *bytes, size_t size);
st_digest st_sha256_end(st_sha256 *h);
st_digest st_digest_of(const void *bytes, size_t size);

/* Of a regular file. Fails   ST_ERR_IO. */
ST_CHECKED st_status st_digest_of_file(st_digest *digest, const char *path);

/* 64 lower-case hex digits and a zero. Returns text. */
const char *st_digest_print(char text[65], const st_digest *digest);

#endif
