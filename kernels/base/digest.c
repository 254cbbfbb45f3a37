/* digest.c - SHA-256 (FIPS 180-4). */
#include "kernels/base/digest.h"

#include "kernels/base/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const uint32_t round_constant[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static void absorb(st_sha256 *h, const unsigned char *block)
{
    uint32_t w[64];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        const uint32_t s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
        const uint32_t s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }

    /* The eight words of the standard, a to g and the last; in registers, not in an array that is
     * shifted, which costs half of the whole. */
    const uint32_t *state = h->state;
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], last = state[7];
    for (int i = 0; i < 64; i++) {
        const uint32_t e1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
        const uint32_t choice = (e & f) ^ (~e & g);
        const uint32_t t1 = last + e1 + choice + round_constant[i] + w[i];
        const uint32_t e0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
        const uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        last = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + e0 + majority;
    }
    const uint32_t sum[8] = {a, b, c, d, e, f, g, last};
    for (int i = 0; i < 8; i++)
        h->state[i] += sum[i];
}

void st_sha256_start(st_sha256 *h)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memset(h, 0, sizeof *h);
    memcpy(h->state, start, sizeof start);
}

void st_sha256_add(st_sha256 *h, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    size_t held = h->bytes % 64;
    h->bytes += size;
    if (held > 0) {
        const size_t more = size < 64 - held ? size : 64 - held;
        memcpy(h->block + held, p, more);
        p += more;
        size -= more;
        if (held + more < 64)
            return;
        absorb(h, h->block);
    }
    for (; size >= 64; p += 64, size -= 64)
        absorb(h, p);
    if (size > 0)
        memcpy(h->block, p, size);
}

st_digest st_sha256_end(st_sha256 *h)
{
    const uint64_t bits = h->bytes * 8;
    const unsigned char one = 0x80, zero[64] = {0};
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    st_sha256_add(h, &one, 1);
    st_sha256_add(h, zero, (120 - h->bytes % 64) % 64);
    st_sha256_add(h, length, 8);

    st_digest d;
    for (int i = 0; i < 32; i++)
        d.bytes[i] = (unsigned char)(h->state[i / 4] >> (24 - 8 * (i % 4)));
    return d;
}

st_digest st_digest_of(const void *bytes, size_t size)
{
    st_sha256 h;
    st_sha256_start(&h);
    st_sha256_add(&h, bytes, size);
    return st_sha256_end(&h);
}

st_status st_digest_of_file(st_digest *digest, const char *path)
{
    int fd;
    size_t size;
    ST_TRY(st_file_open(&fd, &size, path));
    unsigned char block[1 << 16];
    st_sha256 h;
    st_sha256_start(&h);
    st_status s = st_ok();
    for (ssize_t n; (n = read(fd, block, sizeof block)) != 0;) {
        if (n > 0) {
            st_sha256_add(&h, block, (size_t)n);
        } else if (errno != EINTR) {
            s = ST_FAIL(ST_ERR_IO, "%s: %s", path, strerror(errno));
            break;
        }
    }
    close(fd);
    if (s.code == ST_OK)
        *digest = st_sha256_end(&h);
    return s;
}

const char *st_digest_print(char text[65], const st_digest *digest)
{
    for (int i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
    return text;
}
