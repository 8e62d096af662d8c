// 3x3 convolutions by Winograd's F(4x4, 3x3): a quarter of the multiplications, at the price of four times the weights
// and of a few bits of accuracy.
// Formula: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.3, points 0, 1, -1, 2,
// -2 and infinity.
#pragma once

#include "model/kernels/isa/conv.inc.h"

namespace halfwave::kernels {
namespace {

constexpr int64_t kPoints = 36;
// Tiles that are transformed at a time: the weights of a point pass by once for all of them.
constexpr int64_t kWinogradTiles = 48;
// And so many for each part make it worth passing by all weights rather than transforming all tiles in each.
constexpr int64_t kManyTiles = 12;

// Floats from one point's tiles to the next's: a cache line more than they take, or all points of a tile would compete
// for the same few places in the cache.
inline int64_t PointStride(int64_t channels) { return kWinogradTiles * channels + 16; }

inline int64_t WinogradTilesOf(const ConvShape& s) { return (s.out_height + 3) / 4 * ((s.out_width + 3) / 4); }
inline int WinogradPanelPackets(const ConvShape& s) { return PanelPackets(kWinogradTiles, s.out_channels); }

int64_t WinogradPackedElements(const ConvShape* s) {
  return (kPoints * s->channels + 1) * RoundUp(s->out_channels, kLanes);
}

// G g G', in double precision: [6, 6].
inline void TransformWeights(const float* g, double* u) {
  constexpr double kG[6][3] = {{1.0 / 4, 0, 0},
                               {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                               {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                               {1.0 / 24, 1.0 / 12, 1.0 / 6},
                               {1.0 / 24, -1.0 / 12, 1.0 / 6},
                               {0, 0, 1}};
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 6; ++j) {
      double sum = 0;
      for (int a = 0; a < 3; ++a) {
        for (int b = 0; b < 3; ++b) sum += kG[i][a] * kG[j][b] * static_cast<double>(g[a * 3 + b]);
      }
      u[i * 6 + j] = sum;
    }
  }
}

// The bias, then per point, panel by panel, [channels, panel].
void PackWinograd(const ConvShape* s, const float* weights, const float* bias, float* packed) {
  const int64_t padded = RoundUp(s->out_channels, kLanes), panel = WinogradPanelPackets(*s) * kLanes;
  for (int64_t o = 0; o < padded; ++o) packed[o] = o < s->out_channels ? bias[o] : 0;
  packed += padded;
  double u[kPoints] = {};
  for (int64_t o = 0; o < padded; ++o) {
    const int64_t first = o / panel * panel, width = padded - first < panel ? padded - first : panel;
    for (int64_t c = 0; c < s->channels; ++c) {
      if (o < s->out_channels) {
        TransformWeights(weights + (o * s->channels + c) * 9, u);
      } else {
        for (double& value : u) value = 0;
      }
      float* at = packed + first * s->channels + c * width + (o - first);
      for (int64_t point = 0; point < kPoints; ++point) at[point * s->channels * padded] = static_cast<float>(u[point]);
    }
  }
}

struct WinogradScratch {
  float* largest;   // [out_channels]
  float* zeros;     // [channels]
  float* inputs;    // [kPoints, tiles, channels]
  float* products;  // [kPoints, tiles, out_channels]
};

inline WinogradScratch DivideScratch(const ConvShape& s, float* scratch) {
  const int64_t in = RoundUp(s.channels, kLanes), out = RoundUp(s.out_channels, kLanes);
  return {scratch, scratch + out, scratch + out + in, scratch + out + in + kPoints * PointStride(in)};
}

int64_t WinogradScratchElements(const ConvShape* s) {
  const int64_t in = RoundUp(s->channels, kLanes), out = RoundUp(s->out_channels, kLanes);
  return in + out + kPoints * (PointStride(in) + PointStride(out));
}

// B' d, six values at a time.
[[gnu::always_inline]] inline void TransformInputs(const Packet (&d)[6], Packet (&out)[6]) {
  const Packet four = Broadcast(4), minus_four = Broadcast(-4), minus_five = Broadcast(-5), two = Broadcast(2),
               minus_one = Broadcast(-1);
  out[0] = MultiplyAdd(four, d[0], MultiplyAdd(minus_five, d[2], d[4]));
  const Packet a = MultiplyAdd(minus_four, d[2], d[4]), b = MultiplyAdd(minus_four, d[1], d[3]);
  out[1] = Add(a, b);
  out[2] = MultiplyAdd(minus_one, b, a);
  const Packet c = MultiplyAdd(minus_one, d[2], d[4]), e = Multiply(two, MultiplyAdd(minus_one, d[1], d[3]));
  out[3] = Add(c, e);
  out[4] = MultiplyAdd(minus_one, e, c);
  out[5] = MultiplyAdd(four, d[1], MultiplyAdd(minus_five, d[3], d[5]));
}

// A' m, six values to four.
[[gnu::always_inline]] inline void TransformProducts(const Packet (&m)[6], Packet (&out)[4]) {
  const Packet minus_one = Broadcast(-1);
  const Packet a = Add(m[1], m[2]), b = MultiplyAdd(minus_one, m[2], m[1]);
  const Packet c = Add(m[3], m[4]), d = MultiplyAdd(minus_one, m[4], m[3]);
  out[0] = Add(Add(m[0], a), c);
  out[1] = MultiplyAdd(Broadcast(2), d, b);
  out[2] = MultiplyAdd(Broadcast(4), c, a);
  out[3] = Add(MultiplyAdd(Broadcast(8), d, b), m[5]);
}

// The 6x6 inputs of the tile whose first output is (oy, ox), for all points.
[[gnu::noinline]] void TransformTile(const ConvShape& s, const float* image, int64_t oy, int64_t ox, const float* zeros,
                                     float* to) {
  const int64_t channels = RoundUp(s.channels, kLanes), whole = s.channels / kLanes * kLanes;
  const float* from[kPoints];
  for (int64_t i = 0; i < 6; ++i) {
    const int64_t y = oy + i - s.pad_top;
    for (int64_t j = 0; j < 6; ++j) {
      const int64_t x = ox + j - s.pad_left;
      const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
      from[i * 6 + j] = inside ? image + (y * s.width + x) * s.channels : zeros;
    }
  }
  for (int64_t c = 0; c < channels; c += kLanes) {
    Packet columns[6][6];  // by column, then transformed row
    for (int j = 0; j < 6; ++j) {
      Packet d[6];
      if (c < whole) {
#pragma GCC unroll 6
        for (int i = 0; i < 6; ++i) d[i] = Load(from[i * 6 + j] + c);
      } else {
        for (int i = 0; i < 6; ++i) {
          alignas(64) float part[kLanes] = {};
          for (int64_t k = 0; k < s.channels - c; ++k) part[k] = from[i * 6 + j][c + k];
          d[i] = LoadAligned(part);
        }
      }
      TransformInputs(d, columns[j]);
    }
    for (int i = 0; i < 6; ++i) {
      Packet d[6], out[6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) d[j] = columns[j][i];
      TransformInputs(d, out);
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) Store(to + (i * 6 + j) * PointStride(channels) + c, out[j]);
    }
  }
}

// From the products of a tile to at most 4x4 outputs.
[[gnu::noinline]] void FinishWinogradTile(const ConvShape& s, const Share& outputs, const float* products,
                                          const float* bias, int64_t oy, int64_t ox, float* image, Finisher& finisher) {
  const int64_t stride = PointStride(RoundUp(s.out_channels, kLanes));
  const int64_t height = s.out_height - oy < 4 ? s.out_height - oy : 4;
  const int64_t width = s.out_width - ox < 4 ? s.out_width - ox : 4;
  float* corner = image + (oy * s.out_width + ox) * s.out_channels;
  for (int64_t c = outputs.begin; c < outputs.end; c += kLanes) {
    Packet rows[6][4];
    for (int i = 0; i < 6; ++i) {
      Packet m[6];
#pragma GCC unroll 6
      for (int j = 0; j < 6; ++j) m[j] = Load(products + (i * 6 + j) * stride + c);
      TransformProducts(m, rows[i]);
    }
    const Packet offset = LoadAligned(bias + c);
    Packet outputs[16][1];  // row by row
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      Packet m[6], column[4];
#pragma GCC unroll 6
      for (int i = 0; i < 6; ++i) m[i] = rows[i][j];
      TransformProducts(m, column);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) outputs[4 * i + j][0] = Add(column[i], offset);
    }
    const int64_t columns = s.out_channels - c < kLanes ? s.out_channels - c : kLanes;
    const int64_t line = s.out_width * s.out_channels;
    const auto at = [&](int64_t r) { return corner + r / 4 * line + r % 4 * s.out_channels + c; };
    if (height == 4 && width == 4) {
      FinishTile(finisher, c, columns, at, outputs);
      continue;
    }
    alignas(64) float values[16 * kLanes];
#pragma GCC unroll 16
    for (int r = 0; r < 16; ++r) Store(values + r * kLanes, outputs[r][0]);
    for (int64_t r = 0; r < 16; ++r) {
      if (r / 4 >= height || r % 4 >= width) continue;
      Packet one[1][1] = {{LoadAligned(values + r * kLanes)}};
      FinishTile(
          finisher, c, columns, [&](int) { return at(r); }, one);
    }
  }
}

// products = inputs times weights, point by point.
inline void MultiplyPoints(const ConvShape& s, const Share& outputs, const float* weights, int64_t tiles,
                           const WinogradScratch& scratch) {
  const int64_t in = RoundUp(s.channels, kLanes), out = RoundUp(s.out_channels, kLanes);
  const int packets = WinogradPanelPackets(s);
  const Sum sum = {1, 0, 1, 0, s.channels, in};
  ConvTile tile = {};
  tile.sum = &sum;
  tile.y_stride = out;
  for (int64_t point = 0; point < kPoints; ++point) {
    for (int64_t first = outputs.begin; first < outputs.end; first += packets * kLanes) {
      const int wide = static_cast<int>((out - first) / kLanes < packets ? (out - first) / kLanes : packets);
      tile.weights = weights + (point * out + first) * s.channels;
      tile.x = scratch.inputs + point * PointStride(in);
      tile.y = scratch.products + point * PointStride(out) + first;
      const int64_t most = MaxTileRows(wide);
      int64_t left = tiles;
      for (int64_t parts = (tiles + most - 1) / most; parts > 0; --parts) {
        const int64_t rows = (left + parts - 1) / parts;
        kConvTiles.product[wide][rows](tile);
        tile.x += rows * in;
        tile.y += rows * out;
        left -= rows;
      }
    }
  }
}

void RunWinograd(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const int64_t out = RoundUp(s.out_channels, kLanes), in = RoundUp(s.channels, kLanes);
  const WinogradScratch scratch = DivideScratch(s, call->scratch);
  for (int64_t c = 0; c < in; ++c) scratch.zeros[c] = 0;
  const int64_t across = (s.out_width + 3) / 4, tiles_per_image = WinogradTilesOf(s);
  const int64_t tiles_per_row = call->images * tiles_per_image, total = call->rows * tiles_per_row;
  // Enough tiles share the weights, or few share the transformed inputs.
  Share outputs = {0, out}, tiles = {0, total};
  const int64_t panel = WinogradPanelPackets(s) * kLanes;
  if (total < call->parts * kManyTiles && out >= call->parts * panel) {
    outputs = ShareOf(*call, out, panel);
  } else {
    tiles = ShareOf(*call, total, call->rows > 1 ? tiles_per_row : 1);
  }
  const int64_t image_in = s.height * s.width * s.channels, image_out = s.out_height * s.out_width * s.out_channels;
  Finisher finisher = {};
  for (int64_t begin = tiles.begin; begin < tiles.end; begin += kWinogradTiles) {
    const int64_t count = Min(tiles.end - begin, kWinogradTiles);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t image = (begin + t) / tiles_per_image, tile = (begin + t) % tiles_per_image;
      TransformTile(s, call->x + image * image_in, tile / across * 4, tile % across * 4, scratch.zeros,
                    scratch.inputs + t * in);
    }
    MultiplyPoints(s, outputs, call->packed + out, count, scratch);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t image = (begin + t) / tiles_per_image, tile = (begin + t) % tiles_per_image;
      const bool first = begin + t == tiles.begin || (begin + t) % tiles_per_row == 0;
      const bool last = begin + t + 1 == tiles.end || (begin + t + 1) % tiles_per_row == 0;
      if (first) finisher = BeginRow(*call, image / call->images, out, scratch.largest);
      FinishWinogradTile(s, outputs, scratch.products + t * out, call->packed, tile / across * 4, tile % across * 4,
                         call->y + image * image_out, finisher);
      if (last) EndRow(finisher, s.out_channels, call->counts);
    }
  }
}

}  // namespace
}  // namespace halfwave::kernels
