// 3x3 convolutions by Winograd's F(4x4, 3x3): a quarter of the multiplications, at the price of four times the weights
// and of a few bits of accuracy.
// Formula: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015, section 4.3, points 0, 1, -1, 2,
// -2 and infinity.
#pragma once

#include "model/kernels/isa/conv.inc.h"

namespace halfwave::kernels {
namespace {

constexpr int64_t kPoints = 36;
// Tiles that are transformed at a time, at most: the weights of a point pass by once for all of them.
constexpr int64_t kWinogradTiles = 48;
// And so many for each part make it worth passing by all weights rather than transforming all tiles in each.
constexpr int64_t kManyTiles = 12;
// Fewer, where these would push the weights of all points out of the second-level cache, and else they would stay.
inline int64_t TilesAtOnce(const ConvShape& s) {
  return s.channels + s.out_channels >= 96 && s.channels * s.out_channels <= 4096 ? 36 : kWinogradTiles;
}

// Floats from one point's tiles to the next's: a cache line more than they take, or all points of a tile would compete
// for the same few places in the cache.
inline int64_t PointStride(int64_t channels) { return kWinogradTiles * channels + 16; }

inline int64_t WinogradTilesOf(const ConvShape& s) { return (s.out_height + 3) / 4 * ((s.out_width + 3) / 4); }
// Wide panels where the weights of a point do not stay in the first-level cache, unless an image has so few tiles that
// those of some images can share a panel's weights in registers, or registers are too few to fetch with.
inline int WinogradPanelPackets(const ConvShape& s) {
  const bool wide = kRegisters >= 32 && s.channels >= 64 && WinogradTilesOf(s) >= kManyTiles;
  return PanelPackets(kWinogradTiles, s.out_channels, wide);
}

template <typename Weight>
int64_t WinogradPackedElements(const ConvShape* s) {
  return PackedConvElements<Weight>(*s, kPoints * s->channels);
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
template <typename Weight>
void PackWinograd(const ConvShape* s, const float* weights, const float* bias, float* packed) {
  const int64_t padded = RoundUp(s->out_channels, kLanes), panel = WinogradPanelPackets(*s) * kLanes;
  Weight* const to = PackBias<Weight>(*s, bias, packed);
  double u[kPoints] = {};
  for (int64_t o = 0; o < padded; ++o) {
    const int64_t first = o / panel * panel, width = padded - first < panel ? padded - first : panel;
    for (int64_t c = 0; c < s->channels; ++c) {
      if (o < s->out_channels) {
        TransformWeights(weights + (o * s->channels + c) * 9, u);
      } else {
        for (double& value : u) value = 0;
      }
      Weight* at = to + first * s->channels + c * width + (o - first);
      for (int64_t point = 0; point < kPoints; ++point) {
        at[point * s->channels * padded] = ToWeight<Weight>(static_cast<float>(u[point]));
      }
    }
  }
}

struct WinogradScratch {
  float* of_row;    // [out_channels], see BeginRow
  float* zeros;     // [6, channels]
  float* inputs;    // [kPoints, tiles, channels]
  float* products;  // [kPoints, tiles, out_channels]
};

inline WinogradScratch DivideScratch(const ConvShape& s, float* scratch) {
  const int64_t in = RoundUp(s.channels, kLanes), out = RoundUp(s.out_channels, kLanes);
  return {scratch, scratch + out, scratch + out + 6 * in, scratch + out + 6 * in + kPoints * PointStride(in)};
}

int64_t WinogradScratchElements(const ConvShape* s) {
  const int64_t in = RoundUp(s->channels, kLanes), out = RoundUp(s->out_channels, kLanes);
  return 6 * in + out + kPoints * (PointStride(in) + PointStride(out));
}

// Two of the six values of B' d: those that need the same products. They are computed in pairs, or 6x6 of them would
// not fit into the registers.
template <int kPair>
[[gnu::always_inline]] inline void TransformInputs(const Packet (&d)[6], Packet& first, Packet& second) {
  const Packet four = Broadcast(4), minus_four = Broadcast(-4), minus_five = Broadcast(-5), two = Broadcast(2),
               minus_one = Broadcast(-1);
  if constexpr (kPair == 0) {  // 0 and 5
    first = MultiplyAdd(four, d[0], MultiplyAdd(minus_five, d[2], d[4]));
    second = MultiplyAdd(four, d[1], MultiplyAdd(minus_five, d[3], d[5]));
  } else if constexpr (kPair == 1) {  // 1 and 2
    const Packet a = MultiplyAdd(minus_four, d[2], d[4]), b = MultiplyAdd(minus_four, d[1], d[3]);
    first = Add(a, b);
    second = MultiplyAdd(minus_one, b, a);
  } else {  // 3 and 4
    const Packet a = MultiplyAdd(minus_one, d[2], d[4]), b = Multiply(two, MultiplyAdd(minus_one, d[1], d[3]));
    first = Add(a, b);
    second = MultiplyAdd(minus_one, b, a);
  }
}
constexpr int kPairs[3][2] = {{0, 5}, {1, 2}, {3, 4}};

// Two of the four values of A' m, kFirst and kFirst + 2.
template <int kFirst>
[[gnu::always_inline]] inline void TransformProducts(const Packet (&m)[6], Packet& first, Packet& second) {
  const Packet minus_one = Broadcast(-1);
  if constexpr (kFirst == 0) {
    const Packet a = Add(m[1], m[2]), c = Add(m[3], m[4]);
    first = Add(Add(m[0], a), c);
    second = MultiplyAdd(Broadcast(4), c, a);
  } else {
    const Packet b = MultiplyAdd(minus_one, m[2], m[1]), d = MultiplyAdd(minus_one, m[4], m[3]);
    first = MultiplyAdd(Broadcast(2), d, b);
    second = Add(MultiplyAdd(Broadcast(8), d, b), m[5]);
  }
}

// Two rows of the transformed inputs load(row, column) of one register of channels, for their points; these are so far
// apart.
template <int kPair, typename LoadInput>
[[gnu::always_inline]] inline void TransformRows(LoadInput load, float* to, int64_t stride) {
  Packet first[6], second[6];  // by column
#pragma GCC unroll 6
  for (int j = 0; j < 6; ++j) {
    Packet d[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; ++i) d[i] = load(i, j);
    TransformInputs<kPair>(d, first[j], second[j]);
  }
  const auto finish = [&](const Packet(&row)[6], float* at) {
    Packet out[6];
    TransformInputs<0>(row, out[0], out[5]);
    TransformInputs<1>(row, out[1], out[2]);
    TransformInputs<2>(row, out[3], out[4]);
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) Store(at + j * stride, out[j]);
  };
  finish(first, to + kPairs[kPair][0] * 6 * stride);
  finish(second, to + kPairs[kPair][1] * 6 * stride);
}

template <typename LoadInput>
[[gnu::always_inline]] inline void TransformAll(LoadInput load, float* to, int64_t stride) {
  TransformRows<0>(load, to, stride);
  TransformRows<1>(load, to, stride);
  TransformRows<2>(load, to, stride);
}

// The whole registers of channels of a tile of six lines, the first column being outside if kLeft, the last if kRight.
template <bool kLeft, bool kRight>
inline void TransformLines(const float* const (&lines)[6], int64_t depth, int64_t whole, float* to, int64_t stride) {
  for (int64_t c = 0; c < whole; c += kLanes) {
    const auto load = [&](int i, int j) {
      return (kLeft && j == 0) || (kRight && j == 5) ? Broadcast(0) : Load(lines[i] + j * depth + c);
    };
    TransformAll(load, to + c, stride);
  }
}

// The 6x6 inputs of the tile whose first output is (oy, ox), for all points.
[[gnu::noinline]] void TransformTile(const ConvShape& s, const float* image, int64_t oy, int64_t ox, const float* zeros,
                                     float* to) {
  const int64_t channels = RoundUp(s.channels, kLanes), stride = PointStride(channels), depth = s.channels;
  const int64_t left = ox - s.pad_left, before = Max(-left, 0), behind = Max(left + 6 - s.width, 0);
  const float* lines[6];
  for (int64_t i = 0; i < 6; ++i) {
    const int64_t y = oy + i - s.pad_top;
    lines[i] = y >= 0 && y < s.height ? image + (y * s.width + left) * depth : zeros;
  }
  int64_t c = 0;
  if (before <= 1 && behind <= 1) {
    c = depth / kLanes * kLanes;
    if (before == 1) {
      behind == 1 ? TransformLines<true, true>(lines, depth, c, to, stride)
                  : TransformLines<true, false>(lines, depth, c, to, stride);
    } else {
      behind == 1 ? TransformLines<false, true>(lines, depth, c, to, stride)
                  : TransformLines<false, false>(lines, depth, c, to, stride);
    }
  }
  for (; c < channels; c += kLanes) {
    alignas(64) float part[kPoints * kLanes];
    for (int64_t i = 0; i < 6; ++i) {
      for (int64_t j = 0; j < 6; ++j) {
        const bool inside = j >= before && j < 6 - behind;
        Store(part + (i * 6 + j) * kLanes, inside ? LoadPart(lines[i] + j * depth + c, depth - c) : Broadcast(0));
      }
    }
    TransformAll([&](int i, int j) { return LoadAligned(part + (i * 6 + j) * kLanes); }, to + c, stride);
  }
}

// Two columns of the 4x4 outputs of a tile, for a register of channels: kFirst and kFirst + 2.
template <int kFirst>
[[gnu::always_inline]] inline void TransformColumns(const float* products, int64_t stride, const Packet& bias,
                                                    Packet (&outputs)[8][1]) {
  Packet first[6], second[6];  // by row
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) {
    Packet m[6];
#pragma GCC unroll 6
    for (int j = 0; j < 6; ++j) m[j] = Load(products + (i * 6 + j) * stride);
    TransformProducts<kFirst>(m, first[i], second[i]);
  }
  const auto finish = [&](const Packet(&column)[6], int at) {
    Packet out[4];
    TransformProducts<0>(column, out[0], out[2]);
    TransformProducts<1>(column, out[1], out[3]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) outputs[2 * i + at][0] = Add(out[i], bias);
  };
  finish(first, 0);
  finish(second, 1);
}

// The largest of each 2x2 outputs of a tile [4, 4, kLanes], `height` by `width` of which are there, to an image of such
// lines.
inline void PoolTile(const float* tile, int64_t height, int64_t width, int64_t columns, int64_t channels, int64_t line,
                     float* y) {
  constexpr int64_t kLine = 4 * kLanes;
  for (int64_t i = 0; i < height; i += 2, y += line) {
    for (int64_t j = 0; j < width; j += 2) {
      const Packet largest = LargestOfFour(tile + i * kLine + j * kLanes, kLanes, kLine, kLanes);
      StorePart(y + j / 2 * channels, columns, largest);
    }
  }
}

// From the products of a tile to at most 4x4 outputs, or the largest of each 2x2 of them.
[[gnu::noinline]] void FinishWinogradTile(const ConvShape& s, bool pooled, const Share& outputs, const float* products,
                                          const float* bias, int64_t oy, int64_t ox, float* image, Finisher& finisher) {
  const int64_t stride = PointStride(RoundUp(s.out_channels, kLanes));
  const int64_t height = Min(s.out_height - oy, 4), width = Min(s.out_width - ox, 4);
  alignas(64) float tile[16 * kLanes];
  const int64_t step = pooled ? kLanes : s.out_channels, line = pooled ? 4 * step : s.out_width * step;
  for (int64_t c = outputs.begin; c < outputs.end; c += kLanes) {
    const int64_t columns = Min(s.out_channels - c, kLanes);
    float* const corner = pooled ? tile : image + (oy * s.out_width + ox) * s.out_channels + c;
    const auto finish = [&](auto first_column) {
      constexpr int kFirst = decltype(first_column)::value;
      Packet sums[8][1];
      TransformColumns<kFirst>(products + c, stride, LoadAligned(bias + c), sums);
      const auto at = [&](int64_t r) { return corner + r / 2 * line + (kFirst + r % 2 * 2) * step; };
      if (height == 4 && width == 4) return FinishTile(finisher, c, columns, at, sums);
      alignas(64) float values[8 * kLanes];
#pragma GCC unroll 8
      for (int r = 0; r < 8; ++r) Store(values + r * kLanes, sums[r][0]);
      for (int64_t r = 0; r < 8; ++r) {
        if (r / 2 >= height || kFirst + r % 2 * 2 >= width) continue;
        Packet one[1][1] = {{LoadAligned(values + r * kLanes)}};
        FinishTile(
            finisher, c, columns, [&](int) { return at(r); }, one);
      }
    };
    finish(Constant<0>{});
    finish(Constant<1>{});
    if (!pooled) continue;
    const int64_t out_line = s.out_width / 2 * s.out_channels;
    PoolTile(tile, height, width, columns, s.out_channels, out_line,
             image + oy / 2 * out_line + ox / 2 * s.out_channels + c);
  }
}

// products = inputs times weights, point by point, in panels of so many packets.
template <typename Weight>
inline void MultiplyPoints(const ConvShape& s, int packets, const Share& outputs, const Weight* weights, int64_t tiles,
                           const WinogradScratch& scratch) {
  const int64_t in = RoundUp(s.channels, kLanes), out = RoundUp(s.out_channels, kLanes);
  const int rest = static_cast<int>((out - outputs.begin) / kLanes % packets);
  const TileSizes of_panels = CutIntoTiles(tiles, packets), of_last = rest == 0 ? of_panels : CutIntoTiles(tiles, rest);
  // What stays in the second-level cache comes by itself, and sooner.
  const bool near = kPoints * s.channels * out * static_cast<int64_t>(sizeof(Weight)) <= int64_t{256} << 10;
  const Sum sum = {1, 0, 1, 0, s.channels, in};
  ConvTile<Weight> tile = {};
  tile.sum = &sum;
  tile.y_stride = out;
  for (int64_t point = 0; point < kPoints; ++point) {
    for (int64_t first = outputs.begin; first < outputs.end; first += packets * kLanes) {
      const int wide = static_cast<int>((out - first) / kLanes < packets ? (out - first) / kLanes : packets);
      tile.weights = weights + (point * out + first) * s.channels;
      tile.x = scratch.inputs + point * PointStride(in);
      tile.y = scratch.products + point * PointStride(out) + first;
      const TileSizes& sizes = wide == packets ? of_panels : of_last;
      const int64_t parts = sizes.tiles, width = wide * kLanes;
      // A part alone fetches weights a fixed way ahead; of several, the first ones a share of the next panel each.
      const int64_t shares = near ? 0 : parts >= 4 ? 4 : parts >= 2 ? 2 : 1;
      const int64_t ahead = parts == 1 ? 4096 : width * s.channels;
      for (int64_t part = 0; part < parts; ++part) {
        const int64_t rows = sizes.RowsOf(part);
        tile.fetching = {};
        if (part < shares) tile.fetching = {ahead + part * (s.channels / shares) * width, shares};
        kConvTiles<Weight>.product[wide][rows](tile);
        tile.x += rows * in;
        tile.y += rows * out;
      }
    }
  }
}

template <typename Weight>
void RunWinograd(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const int64_t out = RoundUp(s.out_channels, kLanes), in = RoundUp(s.channels, kLanes);
  const WinogradScratch scratch = DivideScratch(s, call->scratch);
  __builtin_memset(scratch.zeros, 0, 6 * in * sizeof(float));
  const int64_t across = (s.out_width + 3) / 4, tiles_per_image = WinogradTilesOf(s);
  const int64_t tiles_per_row = call->images * tiles_per_image, total = call->rows * tiles_per_row;
  // Enough tiles share the weights, or few share the transformed inputs.
  Share outputs = {0, out}, tiles = {0, total};
  const int packets = WinogradPanelPackets(s);
  const int64_t panel = packets * kLanes;
  if (total < call->parts * kManyTiles && out >= call->parts * panel) {
    outputs = ShareOf(*call, out, panel);
  } else {
    tiles = ShareOf(*call, total, call->rows > 1 ? tiles_per_row : 1);
  }
  const int64_t image_in = s.height * s.width * s.channels;
  const int64_t image_out = s.out_height * s.out_width * s.out_channels / (call->pooled ? 4 : 1);
  Finisher finisher = {};
  int64_t blocks = (tiles.end - tiles.begin + TilesAtOnce(s) - 1) / TilesAtOnce(s);
  for (int64_t begin = tiles.begin, count = 0; blocks > 0; begin += count, --blocks) {
    count = (tiles.end - begin + blocks - 1) / blocks;
    for (int64_t t = 0; t < count; ++t) {
      const int64_t image = (begin + t) / tiles_per_image, tile = (begin + t) % tiles_per_image;
      TransformTile(s, call->x + image * image_in, tile / across * 4, tile % across * 4, scratch.zeros,
                    scratch.inputs + t * in);
    }
    MultiplyPoints(s, packets, outputs, PackedWeights<Weight>(s, call->packed), count, scratch);
    for (int64_t t = 0; t < count; ++t) {
      const int64_t image = (begin + t) / tiles_per_image, tile = (begin + t) % tiles_per_image;
      const bool first = begin + t == tiles.begin || (begin + t) % tiles_per_row == 0;
      const bool last = begin + t + 1 == tiles.end || (begin + t + 1) % tiles_per_row == 0;
      if (first) finisher = BeginRow(*call, image / call->images, out, scratch.of_row);
      FinishWinogradTile(s, call->pooled, outputs, scratch.products + t * out, call->packed, tile / across * 4,
                         tile % across * 4, call->y + image * image_out, finisher);
      if (last) EndRow(finisher, s.out_channels, call->counts);
    }
  }
}

}  // namespace
}  // namespace halfwave::kernels
