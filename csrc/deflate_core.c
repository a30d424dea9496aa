/* A DEFLATE stream (RFC 1951) that knows runs of one byte and no other repetition, as zlib's Z_RLE: what a picture is
 * after the row above has been taken off each row has little else. Blocks of about KF_BLOCK symbols, each with its own
 * Huffman code (Huffman 1952, by two queues; codes longer than 15 bits are avoided by flattening the counts).
 * Time O(bytes), memory two bytes for each symbol of a block. */
#include "deflate_core.h"

#include <stdlib.h>
#include <string.h>

enum {
    KF_BLOCK = 1 << 15, /* symbols */
    KF_SYMBOLS = 286,   /* 256 bytes, the end, 29 lengths of runs */
    KF_END = 256,
    KF_SHORTEST = 3, /* bytes of a run */
    KF_LONGEST = 258,
    KF_MOST_BITS = 15,
    KF_HEAD = 160 /* bytes of a block before its symbols and after them, more than it takes */
};

typedef struct {
    uint8_t *at;
    uint64_t bits;
    int count;
} kf_stream;

static inline void put(kf_stream *stream, uint32_t value, int count) {
    stream->bits |= (uint64_t)value << stream->count;
    stream->count += count;
    if (stream->count < 32) return;
    for (int byte = 0; byte < 4; byte++) stream->at[byte] = (uint8_t)(stream->bits >> 8 * byte);
    stream->at += 4;
    stream->bits >>= 32;
    stream->count -= 32;
}

/* The first length of each code of lengths, and its further bits: four codes for each number of bits from 1 on. */
static inline int further(int code) { return code < 8 || code == 28 ? 0 : code / 4 - 1; }

static void lengths(int first[29]) {
    int length = KF_SHORTEST;
    for (int code = 0; code < 28; length += 1 << further(code), code++) first[code] = length;
    first[28] = KF_LONGEST;
}

typedef struct {
    uint32_t weight;
    int16_t symbol;
} kf_leaf;

static int lighter(const void *one, const void *other) {
    const kf_leaf *a = one, *b = other;
    return a->weight != b->weight ? (a->weight < b->weight ? -1 : 1) : a->symbol - b->symbol;
}

/* Bits of each symbol that occurs, two or more of them; returns the most. */
static int bits_of(const uint32_t *weights, uint8_t *bits) {
    kf_leaf leaf[KF_SYMBOLS];
    uint32_t weight[2 * KF_SYMBOLS];
    int parent[2 * KF_SYMBOLS], depth[2 * KF_SYMBOLS], leaves = 0, most = 0;
    for (int symbol = 0; symbol < KF_SYMBOLS; symbol++)
        if (weights[symbol]) leaf[leaves++] = (kf_leaf){weights[symbol], (int16_t)symbol};
    qsort(leaf, (size_t)leaves, sizeof *leaf, lighter);
    for (int at = 0; at < leaves; at++) weight[at] = leaf[at].weight;
    int next_leaf = 0, next_node = leaves;
    for (int node = leaves; node < 2 * leaves - 1; node++) {
        weight[node] = 0;
        for (int side = 0; side < 2; side++) { /* the lightest two of both queues */
            const int a_leaf =
                next_leaf < leaves && (next_node == node || weight[next_leaf] <= weight[next_node]);
            const int taken = a_leaf ? next_leaf++ : next_node++;
            parent[taken] = node;
            weight[node] += weight[taken];
        }
    }
    depth[2 * leaves - 2] = 0;
    memset(bits, 0, KF_SYMBOLS);
    for (int at = 2 * leaves - 3; at >= 0; at--) {
        depth[at] = depth[parent[at]] + 1;
        if (at < leaves) bits[leaf[at].symbol] = (uint8_t)(depth[at] < 255 ? depth[at] : 255);
        most = depth[at] > most ? depth[at] : most;
    }
    return most;
}

/* Canonical codes of their bits, the first bit lowest as the stream wants it. */
static void codes_of(const uint8_t *bits, uint16_t *codes) {
    uint32_t next[KF_MOST_BITS + 2] = {0}, count[KF_MOST_BITS + 1] = {0};
    for (int symbol = 0; symbol < KF_SYMBOLS; symbol++) count[bits[symbol]]++;
    count[0] = 0;
    for (int length = 1; length <= KF_MOST_BITS; length++) next[length + 1] = (next[length] + count[length]) << 1;
    for (int symbol = 0; symbol < KF_SYMBOLS; symbol++) {
        uint32_t code = bits[symbol] ? next[bits[symbol]]++ : 0, turned = 0;
        for (int bit = 0; bit < bits[symbol]; bit++, code >>= 1) turned = turned << 1 | (code & 1);
        codes[symbol] = (uint16_t)turned;
    }
}

typedef struct {
    uint16_t *symbol; /* a byte, or KF_END and the length of a run */
    int64_t count;
    uint32_t weights[KF_SYMBOLS];
    uint8_t code_of[KF_LONGEST + 1]; /* of a length */
    int first[29];
} kf_block;

static kf_stream write_block(kf_block *block, int last, kf_stream so_far) {
    kf_stream now = so_far, *stream = &now; /* a copy stays in registers: what is written may be anything */
    uint8_t bits[KF_SYMBOLS];
    uint16_t codes[KF_SYMBOLS];
    block->weights[KF_END] = 1;
    if (!block->count) block->weights[0] = 1; /* a code has two symbols at least */
    while (bits_of(block->weights, bits) > KF_MOST_BITS)
        for (int symbol = 0; symbol < KF_SYMBOLS; symbol++) block->weights[symbol] -= block->weights[symbol] / 2;
    codes_of(bits, codes);
    put(stream, (uint32_t)last | 2u << 1, 3); /* a block with codes of its own: */
    put(stream, KF_SYMBOLS - 257, 5);         /* all symbols, */
    put(stream, 0, 5);                        /* one distance, */
    put(stream, 19 - 4, 4);                   /* and their bits, 0 to 15, as they are */
    for (int kind = 0; kind < 19; kind++) put(stream, kind < 3 ? 0 : 4, 3);
    for (int symbol = 0; symbol <= KF_SYMBOLS; symbol++) {
        const uint32_t here = symbol < KF_SYMBOLS ? bits[symbol] : 1; /* the distance, last, is always 1 */
        put(stream, (here & 1) << 3 | (here & 2) << 1 | (here & 4) >> 1 | here >> 3, 4);
    }
    for (int64_t at = 0; at < block->count; at++) {
        const int symbol = block->symbol[at];
        if (symbol < KF_END) {
            put(stream, codes[symbol], bits[symbol]);
            continue;
        }
        const int length = symbol - KF_END, code = block->code_of[length];
        put(stream, codes[KF_END + 1 + code], bits[KF_END + 1 + code]);
        put(stream, (uint32_t)(length - block->first[code]), further(code) + 1); /* and the distance's one bit, 0 */
    }
    put(stream, codes[KF_END], bits[KF_END]);
    block->count = 0;
    memset(block->weights, 0, sizeof block->weights);
    return now;
}

int64_t kf_deflate_room(int64_t count) { return 2 * count + (count / KF_BLOCK + 2) * KF_HEAD + 8; }

int64_t kf_deflate(const uint8_t *data, int64_t count, uint8_t *out) {
    kf_block block = {.symbol = malloc(sizeof(uint16_t) * KF_BLOCK)};
    kf_stream stream = {out, 0, 0};
    if (!block.symbol) return -1;
    lengths(block.first);
    for (int code = 0; code < 29; code++)
        for (int length = block.first[code]; length <= KF_LONGEST; length++) block.code_of[length] = (uint8_t)code;
    for (int64_t at = 0; at < count;) {
        if (block.count == KF_BLOCK) stream = write_block(&block, 0, stream);
        int64_t run = 0;
        if (at && data[at] == data[at - 1]) {
            const int64_t most = count - at < KF_LONGEST ? count - at : KF_LONGEST;
            while (run < most && data[at + run] == data[at - 1]) run++;
        }
        if (run >= KF_SHORTEST) {
            block.symbol[block.count++] = (uint16_t)(KF_END + run);
            block.weights[KF_END + 1 + block.code_of[run]]++;
            at += run;
        } else {
            block.symbol[block.count++] = data[at];
            block.weights[data[at++]]++;
        }
    }
    stream = write_block(&block, 1, stream);
    for (; stream.count > 0; stream.count -= 8, stream.bits >>= 8) *stream.at++ = (uint8_t)stream.bits;
    free(block.symbol);
    return stream.at - out;
}
