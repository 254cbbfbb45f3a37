/* floor_grid.c - outlines painted into cells, what stands in them, and where a robot may go. */
#include "geometry/floor_grid.h"

#include "kernels/base/limits.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double CELLS_MAX = 1.0e8, REGION_M2_MIN = 1.5;
/* Heights above the floor, metres. */
static const double SEEN_M = 0.10, LOW_M = 0.25, OBSTACLE_LOW_M = 0.15, OBSTACLE_HIGH_M = 1.6;

/* --- the floor's height --- */

st_status st_floor_height(double *floor_z_m, st_arena *scratch, const double (*points_m)[3],
                          size_t n, const uint8_t *floor_label)
{
    static const double BIN_M = 0.05, SHARE = 0.03;
    enum { BINS_MAX = 1 << 22 };
    if (n < 1 || n > ST_POINTS_MAX)
        return ST_FAIL(ST_ERR_USAGE, "a floor needs 1 to %zu points, got %zu", ST_POINTS_MAX, n);
    double low = DBL_MAX, high = -DBL_MAX, sum = 0.0;
    size_t labelled = 0;
    for (size_t i = 0; i < n; i++) {
        const double z = points_m[i][2];
        if (!(fabs(z) <= ST_COORDINATE_M_MAX))
            return ST_FAIL(ST_ERR_NUMERIC, "the height of point %zu is %g", i, z);
        low = fmin(low, z);
        high = fmax(high, z);
        if (floor_label && floor_label[i]) {
            sum += z;
            labelled++;
        }
    }
    if (labelled > 0) {
        *floor_z_m = sum / (double)labelled;
        return st_ok();
    }

    /* Bins start at multiples of 5 cm, so that one stray point does not shift them all. */
    const double first = floor(low / BIN_M);
    const size_t bins = (size_t)(floor(high / BIN_M) - first) + 1;
    const st_arena_mark mark = st_arena_mark_get(scratch);
    size_t *count, peak = bins;
    if (bins > BINS_MAX)
        return ST_FAIL(ST_ERR_LIMIT, "the points span %g m of height", high - low);
    ST_TRY(ST_ALLOC(scratch, &count, bins + 2));            /* an empty bin at either end */
    for (size_t i = 0; i < n; i++)
        count[1 + (size_t)(floor(points_m[i][2] / BIN_M) - first)]++;
    for (size_t b = 0; b < bins && peak == bins; b++)
        if ((double)count[b + 1] >= SHARE * (double)n && count[b + 1] >= count[b] &&
            count[b + 1] >= count[b + 2])
            peak = b;
    st_arena_rewind(scratch, mark);
    if (peak == bins) {
        *floor_z_m = low;
        return st_ok();
    }
    /* A floor at a multiple of 5 cm falls in two bins: take the points around the peak's middle. */
    const double middle = (first + (double)peak + 0.5) * BIN_M;
    size_t near = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs(points_m[i][2] - middle) <= BIN_M) {
            sum += points_m[i][2];
            near++;
        }
    *floor_z_m = sum / (double)near;
    return st_ok();
}

/* --- cells --- */

/* A grid over the rings, its lines at multiples of the cell's side. */
static st_status make_grid(st_floor_grid *grid, st_arena *arena, const st_ring *rings,
                           size_t ring_count)
{
    double low[2] = {DBL_MAX, DBL_MAX}, high[2] = {-DBL_MAX, -DBL_MAX};
    for (size_t r = 0; r < ring_count; r++)
        for (size_t i = 0; i < rings[r].count; i++)
            for (int k = 0; k < 2; k++) {
                low[k] = fmin(low[k], rings[r].xy_m[i][k]);
                high[k] = fmax(high[k], rings[r].xy_m[i][k]);
            }
    *grid = (st_floor_grid){.columns = 0};
    if (low[0] > high[0])
        return st_ok();
    double side[2];
    for (int k = 0; k < 2; k++) {
        const double from = floor(low[k] / ST_FLOOR_CELL_M);
        grid->origin_m[k] = from * ST_FLOOR_CELL_M;
        side[k] = floor(high[k] / ST_FLOOR_CELL_M) - from + 1.0;
    }
    if (!(side[0] * side[1] <= CELLS_MAX))
        return ST_FAIL(ST_ERR_LIMIT, "a floor of %.0f x %.0f cells, at most %.0f in all", side[0],
                       side[1], CELLS_MAX);
    grid->columns = (int)side[0];
    grid->rows = (int)side[1];
    return ST_ALLOC(arena, &grid->cells, (size_t)grid->columns * (size_t)grid->rows);
}

static double row_center(const st_floor_grid *grid, int64_t row)
{
    return grid->origin_m[1] + ((double)row + 0.5) * ST_FLOOR_CELL_M;
}

/* Toggle, in every row whose middle an edge crosses, the first cell whose centre lies beyond it. */
static void toggle_edge(uint8_t *flips, const st_floor_grid *grid, const double *p,
                        const double *q)
{
    const double low = fmin(p[1], q[1]), high = fmax(p[1], q[1]);
    int64_t row = (int64_t)floor((low - grid->origin_m[1]) / ST_FLOOR_CELL_M) - 1;
    for (row = row < 0 ? 0 : row; row < grid->rows; row++) {
        const double y = row_center(grid, row);
        if (y > high)
            break;
        if ((p[1] > y) == (q[1] > y))           /* half-open: a corner counts once */
            continue;
        const double x = p[0] + (y - p[1]) * (q[0] - p[0]) / (q[1] - p[1]);
        const double at = floor((x - grid->origin_m[0]) / ST_FLOOR_CELL_M - 0.5) + 1.0;
        if (at < grid->columns)
            flips[row * grid->columns + (at < 0.0 ? 0 : (int64_t)at)] ^= 1;
    }
}

/* Set a bit in every cell whose centre lies inside an odd number of the rings. */
static st_status paint(st_floor_grid *grid, st_arena *scratch, const st_ring *rings,
                       size_t ring_count, uint8_t bit)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    uint8_t *flips;
    ST_TRY(ST_ALLOC(scratch, &flips, (size_t)grid->columns * (size_t)grid->rows));
    for (size_t r = 0; r < ring_count; r++)
        for (size_t i = 0; i < rings[r].count; i++)
            toggle_edge(flips, grid, rings[r].xy_m[i], rings[r].xy_m[(i + 1) % rings[r].count]);
    for (int64_t row = 0; row < grid->rows; row++) {
        uint8_t inside = 0;
        for (int64_t c = row * grid->columns; c < (row + 1) * grid->columns; c++) {
            inside ^= flips[c];
            if (inside)
                grid->cells[c] |= bit;
        }
    }
    st_arena_rewind(scratch, mark);
    return st_ok();
}

int64_t st_floor_grid_at(const st_floor_grid *grid, double x_m, double y_m)
{
    const double c = floor((x_m - grid->origin_m[0]) / ST_FLOOR_CELL_M);
    const double r = floor((y_m - grid->origin_m[1]) / ST_FLOOR_CELL_M);
    if (!(c >= 0.0 && c < grid->columns && r >= 0.0 && r < grid->rows))
        return -1;
    return (int64_t)r * grid->columns + (int64_t)c;
}

void st_floor_grid_center(const st_floor_grid *grid, int64_t cell, double xy_m[2])
{
    xy_m[0] = grid->origin_m[0] + ((double)(cell % grid->columns) + 0.5) * ST_FLOOR_CELL_M;
    xy_m[1] = row_center(grid, cell / grid->columns);
}

/* --- free space --- */

enum { SAW_FLOOR = 64, SAW_LOW = 128 };         /* working bits beside st_cell's */

static void mark_points(st_floor_grid *grid, const double (*points_m)[3], size_t n,
                        double floor_z_m)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t cell = st_floor_grid_at(grid, points_m[i][0], points_m[i][1]);
        if (cell < 0)
            continue;
        const double above = points_m[i][2] - floor_z_m;
        if (fabs(above) <= SEEN_M)
            grid->cells[cell] |= SAW_FLOOR;
        if (above < LOW_M)
            grid->cells[cell] |= SAW_LOW;
        if (above > OBSTACLE_LOW_M && above < OBSTACLE_HIGH_M)
            grid->cells[cell] |= ST_CELL_OBSTACLE;
    }
}

static bool is_clear(const st_floor_grid *grid, int64_t column, int64_t row)
{
    if (column < 0 || column >= grid->columns || row < 0 || row >= grid->rows)
        return false;
    const uint8_t cell = grid->cells[row * grid->columns + column];
    return cell & ST_CELL_FLOOR && !(cell & ST_CELL_OBSTACLE);
}

/* Does the robot's disc, centred in the cell, cover clear cells only? */
static bool robot_fits(const st_floor_grid *grid, int64_t column, int64_t row)
{
    const int reach = (int)(ST_ROBOT_RADIUS_M / ST_FLOOR_CELL_M + 1e-9);
    for (int dr = -reach; dr <= reach; dr++)
        for (int dc = -reach; dc <= reach; dc++)
            if (dr * dr + dc * dc <= reach * reach && !is_clear(grid, column + dc, row + dr))
                return false;
    return true;
}

typedef struct region {
    size_t  cells;
    int32_t number;             /* in the order of first cells */
} region;

static int by_cells(const void *pa, const void *pb)
{
    const region *a = pa, *b = pb;
    if (a->cells != b->cells)
        return a->cells > b->cells ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* Number the connected free cells (4 neighbours); returns how many regions there are. */
static int32_t flood(st_floor_grid *grid, int64_t *queue)
{
    const int64_t cell_count = (int64_t)grid->columns * grid->rows;
    int32_t regions = 0;
    for (int64_t first = 0; first < cell_count; first++) {
        if (!(grid->cells[first] & ST_CELL_FREE) || grid->region[first] >= 0)
            continue;
        int64_t count = 0;
        queue[count++] = first;
        grid->region[first] = regions;
        for (int64_t q = 0; q < count; q++) {
            const int64_t at = queue[q], column = at % grid->columns;
            const int64_t next[4] = {column > 0 ? at - 1 : -1,
                                     column + 1 < grid->columns ? at + 1 : -1,
                                     at - grid->columns, at + grid->columns};
            for (int k = 0; k < 4; k++)
                if (next[k] >= 0 && next[k] < cell_count && grid->cells[next[k]] & ST_CELL_FREE &&
                    grid->region[next[k]] < 0) {
                    grid->region[next[k]] = regions;
                    queue[count++] = next[k];
                }
        }
        regions++;
    }
    return regions;
}

/* Order the regions by size, and give up those too small to walk in. */
static st_status keep_regions(st_floor_grid *grid, st_arena *scratch)
{
    const int64_t cell_count = (int64_t)grid->columns * grid->rows;
    int64_t *queue;
    region *found;
    int32_t *rank;
    ST_TRY(ST_ALLOC(scratch, &queue, (size_t)cell_count));
    const int32_t count = flood(grid, queue);
    ST_TRY(ST_ALLOC(scratch, &found, (size_t)count));
    ST_TRY(ST_ALLOC(scratch, &rank, (size_t)count));
    for (int32_t i = 0; i < count; i++)
        found[i].number = i;
    for (int64_t c = 0; c < cell_count; c++)
        if (grid->region[c] >= 0)
            found[grid->region[c]].cells++;
    qsort(found, (size_t)count, sizeof *found, by_cells);
    for (int32_t i = 0; i < count; i++) {
        const double area_m2 = (double)found[i].cells * ST_FLOOR_CELL_M * ST_FLOOR_CELL_M;
        const bool large = area_m2 >= REGION_M2_MIN * (1.0 - 1e-12);
        rank[found[i].number] = large ? i : -1;
        grid->region_count += large;
    }
    for (int64_t c = 0; c < cell_count; c++) {
        if (grid->region[c] >= 0)
            grid->region[c] = rank[grid->region[c]];
        if (grid->region[c] < 0)
            grid->cells[c] &= (uint8_t)~ST_CELL_FREE;
    }
    return st_ok();
}

static st_status find_free(st_floor_grid *grid, st_arena *scratch)
{
    for (int64_t c = 0; c < (int64_t)grid->columns * grid->rows; c++) {
        uint8_t *cell = &grid->cells[c];
        if (*cell & ST_CELL_ROOM && (*cell & SAW_FLOOR || !(*cell & SAW_LOW)))
            *cell |= ST_CELL_FLOOR;
        *cell &= (uint8_t)~(SAW_FLOOR | SAW_LOW);
        grid->region[c] = -1;
    }
    for (int64_t row = 0; row < grid->rows; row++)
        for (int64_t column = 0; column < grid->columns; column++)
            if (robot_fits(grid, column, row))
                grid->cells[row * grid->columns + column] |= ST_CELL_FREE;
    const st_arena_mark mark = st_arena_mark_get(scratch);
    const st_status s = keep_regions(grid, scratch);
    st_arena_rewind(scratch, mark);
    return s;
}

st_status st_floor_grid_build(st_floor_grid *grid, st_arena *arena, const st_ring *rings,
                              size_t ring_count, const double (*points_m)[3], size_t n,
                              double floor_z_m)
{
    st_floor_grid made;
    ST_TRY(make_grid(&made, arena, rings, ring_count));
    ST_TRY(ST_ALLOC(arena, &made.region, (size_t)made.columns * (size_t)made.rows));
    ST_TRY(paint(&made, arena, rings, ring_count, ST_CELL_ROOM));
    mark_points(&made, points_m, n, floor_z_m);
    ST_TRY(find_free(&made, arena));
    *grid = made;
    return st_ok();
}

/* --- the floor that was seen --- */

static st_status floor_area(double *area_m2, st_arena *scratch, const double (*points_m)[3],
                            size_t n, double floor_z_m, const st_obb *boxes, size_t box_count)
{
    static const double NEAR_FLOOR_M = 0.15;
    double (*near)[3], (*thin)[2];
    size_t near_count = 0, thin_count, ring_count;
    st_alpha alpha;
    st_ring *floor_rings, *rings;
    st_footprint *feet;
    st_floor_grid grid;
    ST_TRY(ST_ALLOC(scratch, &near, n));
    for (size_t i = 0; i < n; i++)
        if (fabs(points_m[i][2] - floor_z_m) <= NEAR_FLOOR_M)
            memcpy(near[near_count++], points_m[i], sizeof *near);
    ST_TRY(st_thin_xy(&thin, &thin_count, scratch, (const double (*)[3])near, near_count,
                      ST_THIN_CELL_M));
    ST_TRY(st_alpha_build(&alpha, scratch, (const double (*)[2])thin, thin_count,
                          ST_ALPHA_RADIUS_M));
    ST_TRY(st_alpha_drop_islands(&alpha, scratch, ST_ISLAND_M2_MIN));
    ST_TRY(st_alpha_outline(&floor_rings, &ring_count, scratch, &alpha, ST_ALPHA_FILLED));

    /* The outline of the floor, then a ring per footprint. */
    ST_TRY(ST_ALLOC(scratch, &rings, ring_count + box_count));
    ST_TRY(ST_ALLOC(scratch, &feet, box_count));
    memcpy(rings, floor_rings, ring_count * sizeof *rings);
    for (size_t b = 0; b < box_count; b++) {
        feet[b] = st_obb_footprint(&boxes[b]);
        rings[ring_count + b] = (st_ring){feet[b].xy_m, (size_t)feet[b].count};
    }
    ST_TRY(make_grid(&grid, scratch, rings, ring_count + box_count));
    ST_TRY(paint(&grid, scratch, rings, ring_count, ST_CELL_FLOOR));
    for (size_t b = 0; b < box_count; b++)
        ST_TRY(paint(&grid, scratch, rings + ring_count + b, 1, ST_CELL_FLOOR));

    size_t cells = 0;
    for (int64_t c = 0; c < (int64_t)grid.columns * grid.rows; c++)
        cells += grid.cells[c] != 0;
    *area_m2 = (double)cells * ST_FLOOR_CELL_M * ST_FLOOR_CELL_M;
    return st_ok();
}

st_status st_floor_area(double *area_m2, st_arena *scratch, const double (*points_m)[3], size_t n,
                        double floor_z_m, const st_obb *boxes, size_t box_count)
{
    const st_arena_mark mark = st_arena_mark_get(scratch);
    const st_status s = floor_area(area_m2, scratch, points_m, n, floor_z_m, boxes, box_count);
    st_arena_rewind(scratch, mark);
    return s;
}
