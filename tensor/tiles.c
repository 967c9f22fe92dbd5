#include "tensor/tiles.h"

#ifdef __AMX_BF16__ /* the compiler has the instructions */
#include "base/cpu.h"

#include <immintrin.h>
#include <omp.h>
#include <string.h>

enum { TILE_NBYTES = 1024, STEP = LLMC_TILES_PANEL };
enum { A_CHUNK_NBYTES = 1 << 20 }; /* of A at a time: half of a second-level cache of 2 MiB */

static int parts_of(enum llmc_number number)
{
    return number == LLMC_F16 ? 2 : 1;
}

static size_t panel_nbytes(enum llmc_number number, int64_t depth)
{
    return (size_t)llmc_tiles_panels(depth) * (size_t)parts_of(number) * 2 * TILE_NBYTES;
}

bool llmc_tiles_allowed(void)
{
    return llmc_cpu_may_use(llmc_cpu_features(), LLMC_CPU_AMX_BF16);
}

size_t llmc_tiles_nbytes(enum llmc_number number, int64_t extent, int64_t depth)
{
    return (size_t)llmc_tiles_panels(extent) * panel_nbytes(number, depth);
}

/* A panel of a packed weight: parts are not taken apart. */
static size_t packed_nbytes(int64_t depth)
{
    return (size_t)llmc_tiles_panels(depth) * 2 * TILE_NBYTES;
}

size_t llmc_tiles_weight_nbytes(int64_t rows, int64_t cols)
{
    return 2 * (size_t)llmc_tiles_panels(rows) * packed_nbytes(cols);
}

size_t llmc_tiles_unpacked_nbytes(enum llmc_number number, int64_t depth)
{
    return number == LLMC_F16 ? (size_t)omp_get_max_threads() * panel_nbytes(number, depth) : 0;
}

/* Callers pass constants, which decide most branches: always inlined, whatever the size. */
#define INLINE __attribute__((always_inline)) static inline

/* 16 x 16 pairs of numbers, transposed: four rounds, each of which exchanges halves of twice the size. */
INLINE void transpose(__m512i v[16])
{
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(v[i + 8], v[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

/* 16 F32 numbers = upper + rest, both exact in BF16 where the numbers are F16. Ties are rounded away from zero.
 * Infinity and NaN give a rest that is NaN. */
INLINE __m512 upper_part(__m512 x)
{
    __m512i rounded = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    return _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32((int)0xffff0000u)));
}

/* 32 F16 numbers to the BF16 numbers of their two parts. */
INLINE void split(__m512i x, __m512i odd_words, __m512i *high, __m512i *low)
{
    __m512 first = _mm512_cvtph_ps(_mm512_castsi512_si256(x));
    __m512 second = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(x, 1));
    __m512 first_high = upper_part(first), second_high = upper_part(second);
    *high = _mm512_permutex2var_epi16(_mm512_castps_si512(first_high), odd_words, _mm512_castps_si512(second_high));
    *low = _mm512_permutex2var_epi16(_mm512_castps_si512(_mm512_sub_ps(first, first_high)), odd_words,
                                     _mm512_castps_si512(_mm512_sub_ps(second, second_high)));
}

/* The odd words of two vectors. */
static inline __m512i odd_words(void)
{
    uint16_t index[32];
    for (int i = 0; i < 32; i++)
        index[i] = (uint16_t)(2 * i + 1);
    return _mm512_loadu_si512(index);
}

/* Words first, first + 1 ... of two vectors in turn. */
static inline __m512i interleaved_words(int first)
{
    uint16_t index[32];
    for (int i = 0; i < 32; i++)
        index[i] = (uint16_t)(first + i / 2 + i % 2 * 32);
    return _mm512_loadu_si512(index);
}

/* What a panel is made for decides whether it is to stay in the caches. */
enum use { SOON, LATER };

INLINE void store_tile(__m512i v[16], bool turned, enum use use, char *tile)
{
    if (turned)
        transpose(v);
    for (int i = 0; i < 16; i++) {
        if (use == SOON)
            _mm512_store_si512(tile + 64 * i, v[i]);
        else
            _mm512_stream_si512((void *)(tile + 64 * i), v[i]);
    }
}

INLINE void store_parts(__m512i v[16], bool is_split, bool turned, enum use use, char *tile)
{
    if (is_split) {
        __m512i high[16], low[16], odd = odd_words();
        for (int i = 0; i < 16; i++)
            split(v[i], odd, &high[i], &low[i]);
        store_tile(high, turned, use, tile);
        store_tile(low, turned, use, tile + 2 * TILE_NBYTES);
    } else {
        store_tile(v, turned, use, tile);
    }
}

static inline __mmask32 mask_of(int64_t count)
{
    return count >= 32 ? 0xffffffffu : count <= 0 ? 0 : (1u << count) - 1;
}

/* Both tiles (of each part) of a step, from `rows` rows of `count` numbers that exist. */
INLINE void pack_step(const uint16_t *source, int64_t stride, int64_t rows, int64_t count, bool down, bool is_split,
                      bool turned, enum use use, char *tiles)
{
    __mmask32 mask = mask_of(count);
    __m512i v[2][16];
    if (down) { /* a row of a tile: two rows of the source, number by number */
        __m512i lower = interleaved_words(0), upper = interleaved_words(16);
        for (int i = 0; i < 16; i++) {
            __m512i even = _mm512_maskz_loadu_epi16(2 * i < rows ? mask : 0, source + 2 * i * stride);
            __m512i odd = _mm512_maskz_loadu_epi16(2 * i + 1 < rows ? mask : 0, source + (2 * i + 1) * stride);
            v[0][i] = _mm512_permutex2var_epi16(even, lower, odd);
            v[1][i] = _mm512_permutex2var_epi16(even, upper, odd);
        }
    } else {
        for (int i = 0; i < 32; i++)
            v[i / 16][i % 16] = _mm512_maskz_loadu_epi16(i < rows ? mask : 0, source + i * stride);
    }
    store_parts(v[0], is_split, turned, use, tiles);
    store_parts(v[1], is_split, turned, use, tiles + TILE_NBYTES);
}

/* A packed panel of F16 numbers to its two parts. */
static void unpack_panel(const char *packed, int64_t steps, char *out)
{
    __m512i high, low, odd = odd_words();
    for (int64_t s = 0; s < steps; s++, packed += 2 * TILE_NBYTES, out += 4 * TILE_NBYTES) {
        for (int i = 0; i < 2 * TILE_NBYTES; i += 64) {
            split(_mm512_load_si512(packed + i), odd, &high, &low);
            _mm512_store_si512(out + i, high);
            _mm512_store_si512(out + 2 * TILE_NBYTES + i, low);
        }
    }
    __asm__ volatile("" ::: "memory"); /* GCC does not know that tile loads read memory */
}

struct range {
    int64_t begin, end;
};

enum side { A, B };

/* Where an operand's panels lie: `stride` bytes from one to the next. */
struct panels {
    char *data;
    size_t stride;
};

/* A range of the operand's steps in the order in which the source's memory is read: panel by panel, or, where the
 * contraction runs down the rows, all panels of the first 32 rows, then those of the next. Inlined once for each kind,
 * so that the compiler decides the branches above. */
INLINE void pack_range(const struct llmc_tiles_source *s, struct range range, bool down, bool is_split, bool turned,
                       enum use use, struct panels out)
{
    int64_t minor = llmc_tiles_panels(down ? s->extent : s->depth);
    size_t step_nbytes = (size_t)(is_split ? 4 : 2) * TILE_NBYTES;
    for (int64_t i = range.begin; i < range.end; i++) {
        int64_t panel = down ? i % minor : i / minor, step = down ? i / minor : i % minor;
        int64_t row = STEP * (down ? step : panel), col = STEP * (down ? panel : step);
        int64_t rows = (down ? s->depth : s->extent) - row, cols = (down ? s->extent : s->depth) - col;
        pack_step(s->data + row * s->stride + col, s->stride, rows, cols, down, is_split, turned, use,
                  out.data + (size_t)panel * out.stride + (size_t)step * step_nbytes);
    }
}

static int64_t step_count(const struct llmc_tiles_source *s)
{
    return llmc_tiles_panels(s->extent) * llmc_tiles_panels(s->depth);
}

INLINE void pack(enum side side, const struct llmc_tiles_source *s, struct range range, enum use use,
                 struct panels out)
{
    bool turned = side == A;
    if (s->number == LLMC_F16 && s->down)
        pack_range(s, range, true, true, turned, use, out);
    else if (s->number == LLMC_F16)
        pack_range(s, range, false, true, !turned, use, out);
    else if (s->down)
        pack_range(s, range, true, false, turned, use, out);
    else
        pack_range(s, range, false, false, !turned, use, out);
    if (use == LATER)
        _mm_sfence(); /* streamed stores are not ordered with the others */
    __asm__ volatile("" ::: "memory"); /* GCC does not know that tile loads read memory */
}

/* Tiles 0 to 3: 2 x 2 tiles of C; 4 and 5: A; 6 and 7: B. Other code of the process configures tiles as it needs them,
 * so they are configured anew for every product and released after it. */
static void configure(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_nbytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int i = 0; i < 8; i++)
        config.row_nbytes[i] = 64, config.rows[i] = 16;
    __asm__ volatile("" : : "r"(&config) : "memory"); /* GCC 12 believes that only the first 8 bytes are read */
    _tile_loadconfig(&config);
}

static inline void load_a(const char *a)
{
    _tile_loadd(4, a, 64);
    _tile_loadd(5, a + TILE_NBYTES, 64);
}

static inline void load_b(const char *b)
{
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + TILE_NBYTES, 64);
}

static inline void add_products(void)
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

/* Tiles 0 to 3 = 32 x 32 numbers of C. ahead: memory to bring near meanwhile, `lines` cache lines a step. */
INLINE void multiply_panels(const char *a, const char *b, int64_t steps, bool is_split, const char *ahead,
                            int64_t lines)
{
    enum { LOW = 2 * TILE_NBYTES };
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t s = 0; s < steps; s++) {
        for (int64_t i = 0; i < lines; i++, ahead += 64)
            _mm_prefetch(ahead, _MM_HINT_T1);
        load_a(a);
        load_b(b);
        add_products();
        if (is_split) { /* every part is loaded once but for the upper one of B */
            load_b(b + LOW);
            add_products();
            load_a(a + LOW);
            load_b(b);
            add_products();
        }
        a += (is_split ? 4 : 2) * TILE_NBYTES;
        b += (is_split ? 4 : 2) * TILE_NBYTES;
    }
}

static inline void store_tiles(float *out, int64_t stride)
{
    _tile_stored(0, out, stride * 4);
    _tile_stored(1, out + 16, stride * 4);
    _tile_stored(2, out + 16 * stride, stride * 4);
    _tile_stored(3, out + 16 * stride + 16, stride * 4);
}

/* Stores those of the 32 x 32 numbers that exist. */
static void store_block(float *out, int64_t stride, int64_t rows, int64_t cols)
{
    _Alignas(64) float block[STEP][STEP];
    if (rows >= STEP && cols >= STEP) {
        store_tiles(out, stride);
        return;
    }
    store_tiles(block[0], STEP);
    for (int64_t row = 0; row < rows && row < STEP; row++)
        memcpy(out + row * stride, block[row], (size_t)(cols < STEP ? cols : STEP) * sizeof(float));
}

static struct range share(int64_t count)
{
    int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
    return (struct range){count * thread / threads, count * (thread + 1) / threads};
}

/* Rows of panels a and columns of panels b of C. A panel of B stays in the first cache while the panels of A, which
 * the second holds, pass by; the next panel of B is fetched meanwhile. */
INLINE void multiply_range(const struct llmc_tiles_product *p, struct range a, struct range b, bool is_split)
{
    int64_t rows = p->a.extent, cols = p->b.extent, steps = llmc_tiles_panels(p->a.depth);
    size_t nbytes = panel_nbytes(p->a.number, p->a.depth);
    size_t b_nbytes = p->packed ? packed_nbytes(p->a.depth) : nbytes;
    int64_t fetches = (a.end - a.begin) * steps, lines = ((int64_t)b_nbytes / 64 + fetches - 1) / fetches;
    char *unpacked = (char *)p->b_panels + (size_t)omp_get_thread_num() * nbytes;
    for (int64_t j = b.begin; j < b.end; j++) {
        const char *b_panel = (const char *)(p->packed ? p->packed : p->b_panels) + (size_t)j * b_nbytes;
        const char *ahead = b_panel + b_nbytes;
        if (p->packed && is_split) {
            unpack_panel(b_panel, steps, unpacked);
            b_panel = unpacked;
        }
        for (int64_t i = a.begin; i < a.end; i++, ahead += 64 * lines * steps) {
            for (int64_t row = i * STEP; row < rows && row < (i + 1) * STEP; row++) { /* or stores wait for misses */
                __builtin_prefetch(p->out + row * cols + j * STEP, 1, 3);
                __builtin_prefetch(p->out + row * cols + j * STEP + 16, 1, 3);
            }
            multiply_panels((const char *)p->a_panels + (size_t)i * nbytes, b_panel, steps, is_split, ahead,
                            j + 1 < b.end ? lines : 0);
            store_block(p->out + i * STEP * cols + j * STEP, cols, rows - i * STEP, cols - j * STEP);
        }
    }
}

void llmc_tiles_multiply(const struct llmc_tiles_product *p)
{
    int64_t a_count = llmc_tiles_panels(p->a.extent), b_count = llmc_tiles_panels(p->b.extent);
    int64_t steps = llmc_tiles_panels(p->a.depth);
    size_t nbytes = panel_nbytes(p->a.number, p->a.depth);
    int64_t chunk = A_CHUNK_NBYTES / (int64_t)nbytes > 1 ? A_CHUNK_NBYTES / (int64_t)nbytes : 1;
#pragma omp parallel
    {
        /* Threads divide rows, whose A they have packed themselves, unless that would leave them uneven shares. */
        bool by_rows = a_count >= b_count || (p->packed && a_count >= 4 * omp_get_num_threads());
        struct range a = share(a_count), b = share(b_count);
        bool shared = !by_rows || !p->packed; /* threads need what others pack */
        struct range own = shared ? share(step_count(&p->a)) : (struct range){a.begin * steps, a.end * steps};
        pack(A, &p->a, own, SOON, (struct panels){p->a_panels, nbytes});
        if (!p->packed)
            pack(B, &p->b, share(step_count(&p->b)), SOON, (struct panels){p->b_panels, nbytes});
        if (!by_rows)
            a = (struct range){0, a_count};
        else
            b = (struct range){0, b_count};
        if (shared) {
#pragma omp barrier
        }
        configure();
        for (int64_t i = a.begin; i < a.end; i += chunk) {
            struct range part = {i, i + chunk < a.end ? i + chunk : a.end};
            if (p->a.number == LLMC_F16)
                multiply_range(p, part, b, true);
            else
                multiply_range(p, part, b, false);
        }
        _tile_release();
    }
}

void *llmc_tiles_weight_panels(const struct llmc_tiles_weight *w, bool down)
{
    return (char *)w->panels + (down ? llmc_tiles_weight_nbytes(w->rows, w->cols) / 2 : 0);
}

void llmc_tiles_pack_weight(const struct llmc_tiles_weight *w, int64_t row, int64_t col, int64_t count,
                            const uint16_t *numbers, int64_t stride)
{
    size_t step = 2 * TILE_NBYTES;
    struct panels turned = {llmc_tiles_weight_panels(w, false), packed_nbytes(w->cols)};
    struct panels plain = {llmc_tiles_weight_panels(w, true), packed_nbytes(w->rows)};
    turned.data += (size_t)(row / STEP) * turned.stride + (size_t)(col / STEP) * step;
    plain.data += (size_t)(col / STEP) * plain.stride + (size_t)(row / STEP) * step;
    enum llmc_number whole = LLMC_BF16; /* which is moved as it is, whatever the 16 bits mean */
    struct llmc_tiles_source source = {numbers, whole, stride, STEP, count, false};
    pack(B, &source, (struct range){0, count / STEP}, LATER, turned);
    source = (struct llmc_tiles_source){numbers, whole, stride, count, STEP, true};
    pack(B, &source, (struct range){0, count / STEP}, LATER, plain);
}
#else
/* Nothing below is reached where tiles are not allowed. */
bool llmc_tiles_allowed(void)
{
    return false;
}

size_t llmc_tiles_nbytes(enum llmc_number number, int64_t extent, int64_t depth)
{
    (void)number, (void)extent, (void)depth;
    return 0;
}

void llmc_tiles_multiply(const struct llmc_tiles_product *product)
{
    (void)product;
}

void *llmc_tiles_weight_panels(const struct llmc_tiles_weight *weight, bool down)
{
    (void)down;
    return weight->panels;
}

size_t llmc_tiles_weight_nbytes(int64_t rows, int64_t cols)
{
    (void)rows, (void)cols;
    return 0;
}

size_t llmc_tiles_unpacked_nbytes(enum llmc_number number, int64_t depth)
{
    (void)number, (void)depth;
    return 0;
}

void llmc_tiles_pack_weight(const struct llmc_tiles_weight *weight, int64_t row, int64_t col, int64_t count,
                            const uint16_t *numbers, int64_t stride)
{
    (void)weight, (void)row, (void)col, (void)count, (void)numbers, (void)stride;
}
#endif
