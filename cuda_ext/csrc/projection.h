// The arithmetic of the projection loss, one point and one pixel at a time, for the CPU and for CUDA.
//
// What it computes is said in pose_regressor/ops/projection/reference.py. Every backend must round alike, so nothing
// here may be contracted into fused multiply-adds: it is compiled with -ffp-contract=off and --fmad=false.
#pragma once
#include "bits.h"

namespace pose_regressor {

enum class Kernel { one_pixel = 0, long_range = 1 };

// A pose and a camera whose grid is `height` x `width`.
template <typename T>
struct View {
  T r[9], t[3];
  T fx, skew, cx, fy, cy, scale;
  int height, width;

  HOST_DEVICE View(const T* rotation, const T* translation, const T* camera, T scale, int height, int width)
      : fx(camera[0]), skew(camera[1]), cx(camera[2]), fy(camera[4]), cy(camera[5]),
        scale(scale), height(height), width(width) {
    for (int i = 0; i < 9; ++i) r[i] = rotation[i];
    for (int i = 0; i < 3; ++i) t[i] = translation[i];
  }
};

// Column and row as real numbers, and the pixel: its place among the bits of the silhouette, or one past them all.
template <typename T>
struct Landing {
  T a, b;
  int pixel;
};

template <typename T>
HOST_DEVICE Landing<T> land(const View<T>& view, T px, T py, T pz) {
  const T x = view.r[0] * px + view.r[1] * py + view.r[2] * pz + view.t[0];
  const T y = view.r[3] * px + view.r[4] * py + view.r[5] * pz + view.t[1];
  T z = view.r[6] * px + view.r[7] * py + view.r[8] * pz + view.t[2];
  const bool ahead = z > T(1e-6);
  z = ahead ? z : T(1);
  const T a = view.scale * ((view.fx * x + view.skew * y) / z + view.cx);
  const T b = view.scale * (view.fy * y / z + view.cy);
  const T column = a + T(0.5), row = b + T(0.5);
  // Bitwise, not short-circuit: a loop over points stays free of branches, and NaN compares false.
  const bool seen = ahead & (column >= 0) & (column < T(view.width)) & (row >= 0) & (row < T(view.height));
  const int line = padded(view.width);
  const int pixel = int(seen ? row : T(0)) * line + int(seen ? column : T(0));
  return {a, b, seen ? pixel : view.height * line};
}

// Adds a gradient (by_a, by_b) of a point's place in the grid to the gradient of the pose: nine of the rotation, row by
// row, and three of the translation.
template <typename T, typename Sum>
HOST_DEVICE void pull_back(const View<T>& view, T px, T py, T pz, T by_a, T by_b, Sum* pose) {
  const T x = view.r[0] * px + view.r[1] * py + view.r[2] * pz + view.t[0];
  const T y = view.r[3] * px + view.r[4] * py + view.r[5] * pz + view.t[1];
  const T z = view.r[6] * px + view.r[7] * py + view.r[8] * pz + view.t[2];
  const T inverse = T(1) / z;
  const T u = by_a * view.scale * inverse, v = by_b * view.scale * inverse;
  const T by_x = u * view.fx, by_y = u * view.skew + v * view.fy;
  const T by[3] = {by_x, by_y, -(by_x * x + by_y * y) * inverse};
  for (int i = 0; i < 3; ++i) {
    pose[3 * i] += by[i] * px;
    pose[3 * i + 1] += by[i] * py;
    pose[3 * i + 2] += by[i] * pz;
    pose[9 + i] += by[i];
  }
}

// The two silhouettes, and what dL/dX is in a pixel that should be covered and in one that should not.
template <typename T>
struct Silhouettes {
  Bits covered, covered_by_column, wanted;  // covered_by_column: rows and columns exchanged
  T by_wanted, by_unwanted;

  HOST_DEVICE Silhouettes(Bits covered, Bits covered_by_column, Bits wanted, int intersection, int union_)
      : covered(covered), covered_by_column(covered_by_column), wanted(wanted),
        by_wanted(T(-1) / T(union_)), by_unwanted(T(intersection) / (T(union_) * T(union_))) {}
};

// What a point at (a, b), the representative of the covered pixel `own`, feels of the pixel in row n and column m.
// Without branches, which nothing could predict and no loop over points be made of vectors with: both bits are read,
// wanted or not.
template <typename T>
HOST_DEVICE void feel(const Silhouettes<T>& s, int own, int single, T a, T b, int height, int width, int n, int m,
                      T& by_a, T& by_b) {
  const int inside = int(unsigned(m) < unsigned(width)) & int(unsigned(n) < unsigned(height));
  const int pixel = inside != 0 ? s.covered.place(n, m) : own;
  const int covered = s.covered.bit(pixel), wanted = s.wanted.bit(pixel), itself = pixel == own;
  const int changes = inside & ((itself & single) | ((itself | covered) ^ 1));
  const T value = wanted != 0 ? s.by_wanted : s.by_unwanted, by_x = changes != 0 ? value : T(0);
  const T way_a = T(m) - a, way_b = T(n) - b;
  const T near_a = T(1) - (way_a < 0 ? -way_a : way_a), near_b = T(1) - (way_b < 0 ? -way_b : way_b);
  const T sign_a = way_a >= 0 ? T(1) : T(-1), sign_b = way_b >= 0 ? T(1) : T(-1);
  by_a += by_x * near_b * (near_a > 0 ? sign_a : T(0));
  by_b += by_x * near_a * (near_b > 0 ? sign_b : T(0));
}

// [DPR]'s kernel at the covered pixel `own` whose representative landed at (a, b); `single`: 1 if no other point did,
// else 0.
template <typename T>
HOST_DEVICE void one_pixel(const Silhouettes<T>& s, int own, int single, T a, T b, int height, int width, T& by_a,
                           T& by_b) {
  // The four pixels around (a, b); b and a are above -1, so adding 1 makes truncation the floor.
  const int top = int(b + T(1)) - 1, left = int(a + T(1)) - 1;
  T sum_a = 0, sum_b = 0;
  feel(s, own, single, a, b, height, width, top, left, sum_a, sum_b);
  feel(s, own, single, a, b, height, width, top, left + 1, sum_a, sum_b);
  feel(s, own, single, a, b, height, width, top + 1, left, sum_a, sum_b);
  feel(s, own, single, a, b, height, width, top + 1, left + 1, sum_a, sum_b);
  by_a = sum_a;
  by_b = sum_b;
}

// The long-range kernel at a pixel where X and Y differ: calls coordinate(pixel, axis), which says where in its row
// (axis 0) or column (axis 1) the representative of a covered pixel is, and add(pixel, axis, gradient of that).
template <typename T, typename Coordinate, typename Add>
HOST_DEVICE void long_range(const Silhouettes<T>& s, int row, int column, Coordinate coordinate, Add add) {
  const bool covered = s.covered.get(s.covered.place(row, column));
  const T by_x = covered ? s.by_unwanted : s.by_wanted;
  for (int axis = 0; axis < 2; ++axis) {
    const Bits& lines = axis == 0 ? s.covered : s.covered_by_column;
    const int line = axis == 0 ? row : column, at = axis == 0 ? column : row;
    for (int step = -1; step <= 1; step += 2) {
      // Uncovered: the nearest covered pixel. Covered: the end of the run of covered pixels that this one is in.
      const int edge = lines.nearest(line, at, step, !covered) - (covered ? step : 0);
      if (edge < 0 || edge >= lines.width) continue;
      const int pixel = axis == 0 ? s.covered.place(line, edge) : s.covered.place(edge, line);
      const T goal = T(covered ? at - step : at);
      const T way = (goal - coordinate(pixel, axis)) * T(-step);
      const T slope = T(covered ? step : -step) / (way > 1 ? way : T(1));
      add(pixel, axis, by_x * slope);
    }
  }
}

}  // namespace pose_regressor
