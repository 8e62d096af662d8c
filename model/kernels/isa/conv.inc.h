// Convolutions as sums over what a window sees, without writing that down first: in a padded copy of the image, lines
// of a window lie in one piece, and neighbouring windows a constant distance apart.
#pragma once

#include "model/kernels/isa/epilogue.inc.h"

namespace halfwave::kernels {
namespace {

// Tiles of kRows output positions by kPackets registers of channels; the sums and one line of weights stay in
// registers.
constexpr int kTileSums = kRegisters >= 32 ? 24 : 12;
constexpr int kMaxTilePackets = 4;
constexpr int MaxTileRows(int packets) { return packets == 1 ? (kRegisters >= 32 ? 16 : 8) : kTileSums / packets; }

// What a tile sums up: `lines` by `steps` pieces of `depth` floats, which the weights follow one after the other.
struct Sum {
  int64_t lines, line_stride;  // strides in floats of x
  int64_t steps, step_stride;
  int64_t depth;
  int64_t row_stride;  // from one output position to the next
};

// Lines of weights that will be read next, fetched meanwhile: from `ahead` weights behind those that are read first on,
// one at every `steps` lines, a power of two; unless said otherwise no more than one.
struct Fetching {
  int64_t ahead = 0, steps = int64_t{1} << 30;
};

template <bool kFetch, typename Weight, int kRows, int kPackets>
[[gnu::always_inline]] inline void AddProducts(const Sum& sum, const float* x, const Weight* weights,
                                               const Fetching& fetching, Packet (&sums)[kRows][kPackets]) {
  const Weight* next = weights + fetching.ahead;
  const int64_t stride = sum.row_stride;
  for (int64_t line = 0; line < sum.lines; ++line) {
    for (int64_t step = 0; step < sum.steps; ++step) {
      const float* p = x + line * sum.line_stride + step * sum.step_stride;
      // Every third row has a pointer of its own, the others are reached by a scaled index: there are too few registers
      // for a pointer per row.
      const float* p3 = p + 3 * stride;
      const float* p6 = p + 6 * stride;
      const float* p9 = p + 9 * stride;
      const float* p12 = p + 12 * stride;
      const float* p15 = p + 15 * stride;
      for (int64_t k = 0; k < sum.depth; ++k) {
        Packet w[kPackets];
#pragma GCC unroll 4
        for (int j = 0; j < kPackets; ++j) w[j] = LoadAligned(weights + j * kLanes);
        if (kFetch && (k & (fetching.steps - 1)) == 0) {
#pragma GCC unroll 4
          for (int j = 0; j < kPackets; j += kLinePackets<Weight>) Fetch(next + j * kLanes);
          next += kPackets * kLanes;
        }
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
          const float* q = r < 3 ? p : r < 6 ? p3 : r < 9 ? p6 : r < 12 ? p9 : r < 15 ? p12 : p15;
          const Packet value = Broadcast(q[r % 3 * stride]);
#pragma GCC unroll 4
          for (int j = 0; j < kPackets; ++j) sums[r][j] = MultiplyAdd(value, w[j], sums[r][j]);
        }
        weights += kPackets * kLanes;
        ++p, ++p3, ++p6, ++p9, ++p12, ++p15;
      }
    }
  }
}

// What happens to finished sums of one row (of the batch).
struct Finisher {
  Activation activation;
  bool counted;
  const float* summand;  // what is added to the output at the same distance from `y`; null: nothing
  const float* y;
  uint32_t* above;   // per channel, the outputs that were above zero before the activation
  uint64_t outputs;  // that were finished
  Counts zeros;      // among them; not of rectified ones
};

inline const float* SummandOf(const Finisher& finisher, const float* y) { return finisher.summand + (y - finisher.y); }

// Rectifies, stores and counts the sums of one packet of channels, the first `width` of which are real.
template <bool kWhole, int kRows, int kPackets, typename At>
[[gnu::always_inline]] inline void FinishCounted(Finisher& finisher, int64_t channel, int j, int64_t width, At at,
                                                 Packet (&sums)[kRows][kPackets]) {
  Counts above[2] = {};  // two chains: one would take its time
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const Packet out = Rectify(sums[r][j]);
    float* y = at(r) + j * kLanes;
    if constexpr (kWhole) Store(y, out);
    if constexpr (!kWhole) StorePart(y, width, out);
    above[r % 2] = CountAbove(above[r % 2], sums[r][j]);
  }
  AddTo(finisher.above + channel + j * kLanes, above[0] + above[1]);
}

// The `columns` channels from `channel` on of one output, for what is rare.
[[gnu::noinline]] void FinishChannels(Finisher& finisher, int64_t channel, int64_t columns, const float* sums,
                                      float* y) {
  for (int64_t j = 0; j < columns; j += kLanes) {
    const Packet sum = LoadAligned(sums + j), out = Activate(finisher.activation, sum);
    const int64_t width = Min(columns - j, kLanes);
    StorePart(y + j, width, out);
    if (!finisher.counted) continue;
    AddTo(finisher.above + channel + j, CountAbove(Counts{}, sum));
    if (finisher.activation.kind == ActivationKind::kRelu) continue;
    finisher.zeros = CountMask(finisher.zeros, Equal(out, Broadcast(0)) & FirstLanes(width));
  }
}

[[gnu::noinline]] void AddColumns(const float* summand, int64_t columns, float* sums) {
  for (int64_t i = 0; i < columns; ++i) sums[i] += summand[i];
}

// Stores kRows x kPackets outputs, row r at `at(r)`, the first channel being `channel`, `columns` of them real. All
// loops over sums are unrolled: an index that is not constant would keep them in memory.
template <int kRows, int kPackets, typename At>
[[gnu::always_inline]] inline void FinishTile(Finisher& finisher, int64_t channel, int64_t columns, At at,
                                              Packet (&sums)[kRows][kPackets]) {
  const Packet zero = Broadcast(0);
  const ActivationKind kind = finisher.activation.kind;
  const bool whole = columns == kPackets * kLanes;
  finisher.outputs += static_cast<uint64_t>(kRows * columns);
  if (finisher.summand != nullptr && whole) {  // before the +0 or behind it: the bits are the same
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const float* summand = SummandOf(finisher, at(r));
#pragma GCC unroll 4
      for (int j = 0; j < kPackets; ++j) sums[r][j] = Add(sums[r][j], Load(summand + j * kLanes));
    }
  }
  if (kind == ActivationKind::kRelu && finisher.counted && (whole || finisher.summand == nullptr)) {
    const int last = whole ? kPackets : kPackets - 1;
#pragma GCC unroll 4
    for (int j = 0; j < kPackets; ++j) {
      if (j < last) FinishCounted<true>(finisher, channel, j, kLanes, at, sums);
    }
    if (!whole) FinishCounted<false>(finisher, channel, kPackets - 1, columns - last * kLanes, at, sums);
    return;
  }
  if (whole && !finisher.counted && (kind == ActivationKind::kRelu || kind == ActivationKind::kNone)) {
    const Packet least = Broadcast(kind == ActivationKind::kRelu ? 0 : -__builtin_inff());
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int j = 0; j < kPackets; ++j) Store(at(r) + j * kLanes, Max(Add(sums[r][j], zero), least));
    }
    return;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    alignas(64) float values[kPackets * kLanes];
#pragma GCC unroll 4
    for (int j = 0; j < kPackets; ++j) Store(values + j * kLanes, Add(sums[r][j], zero));
    if (finisher.summand != nullptr && !whole) AddColumns(SummandOf(finisher, at(r)), columns, values);
    FinishChannels(finisher, channel, columns, values, at(r));
  }
}

// scratch: room for so many channels' counts, a multiple of kLanes.
inline Finisher BeginRow(const ConvCall& call, int64_t row, int64_t channels, float* scratch) {
  const bool counted = IsCounted(call.counts, row);
  auto* above = reinterpret_cast<uint32_t*>(scratch);
  if (counted) __builtin_memset(above, 0, channels * sizeof(uint32_t));
  Finisher finisher = {};
  finisher.activation = call.activation;
  finisher.counted = counted;
  finisher.summand = call.summand;
  finisher.y = call.y;
  finisher.above = above;
  return finisher;
}

inline void EndRow(const Finisher& finisher, int64_t channels, const UnitCounts& counts) {
  if (!finisher.counted) return;
  Counts above = {};
  for (int64_t i = 0; i < channels; i += kLanes) {
    const Counts of_channels = LoadCounts(finisher.above + i);
    above += of_channels;
    AddPartTo(counts.active + i, channels - i, CountMask(Counts{}, of_channels > 0));
  }
  const bool rectified = finisher.activation.kind == ActivationKind::kRelu;
  *counts.zeros += rectified ? finisher.outputs - SumOf(above) : SumOf(finisher.zeros);
}

// One tile, from bias to memory.
template <typename Weight>
struct ConvTile {
  const Sum* sum;
  const float* x;
  const Weight* weights;
  const float* bias;  // on a vector's boundary
  float* y;
  int64_t y_stride;
  int64_t channel, columns;
  Finisher* finisher;
  Fetching fetching;  // of product tiles
};

template <typename Weight, int kRows, int kPackets>
void RunConvTile(const ConvTile<Weight>& tile) {
  Packet sums[kRows][kPackets];
#pragma GCC unroll 4
  for (int j = 0; j < kPackets; ++j) {
    const Packet bias = LoadAligned(tile.bias + j * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sums[r][j] = bias;
  }
  AddProducts<false>(*tile.sum, tile.x, tile.weights, {}, sums);
  float* const y = tile.y;
  const int64_t stride = tile.y_stride;
  const auto at = [=](int r) { return y + r * stride; };
  FinishTile(*tile.finisher, tile.channel, tile.columns, at, sums);
}

// The same without bias and what follows: sums as they are, whole packets.
template <typename Weight, int kRows, int kPackets>
void RunProductTile(const ConvTile<Weight>& tile) {
  Packet sums[kRows][kPackets];
#pragma GCC unroll 4
  for (int j = 0; j < kPackets; ++j) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sums[r][j] = Broadcast(0);
  }
  AddProducts<true>(*tile.sum, tile.x, tile.weights, tile.fetching, sums);
#pragma GCC unroll 4
  for (int j = 0; j < kPackets; ++j) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) Store(tile.y + r * tile.y_stride + j * kLanes, sums[r][j]);
  }
}

template <typename Weight>
struct ConvTileTable {
  using Function = void (*)(const ConvTile<Weight>&);
  Function conv[kMaxTilePackets + 1][17] = {};
  Function product[kMaxTilePackets + 1][17] = {};
};

template <typename Weight, int kRows, int kPackets>
constexpr void FillConvTiles(ConvTileTable<Weight>& table) {
  if constexpr (kRows <= MaxTileRows(kPackets)) {
    table.conv[kPackets][kRows] = RunConvTile<Weight, kRows, kPackets>;
    table.product[kPackets][kRows] = RunProductTile<Weight, kRows, kPackets>;
    FillConvTiles<Weight, kRows + 1, kPackets>(table);
  }
}

template <typename Weight>
constexpr ConvTileTable<Weight> MakeConvTiles() {
  ConvTileTable<Weight> table;
  FillConvTiles<Weight, 1, 1>(table);
  FillConvTiles<Weight, 1, 2>(table);
  FillConvTiles<Weight, 1, 3>(table);
  FillConvTiles<Weight, 1, 4>(table);
  return table;
}

template <typename Weight>
constexpr ConvTileTable<Weight> kConvTiles = MakeConvTiles<Weight>();

// Rows cut into as few tiles as possible, of sizes as equal as possible: the first `larger` of them take one more.
struct TileSizes {
  int64_t tiles, least, larger;
  int64_t RowsOf(int64_t tile) const { return least + (tile < larger ? 1 : 0); }
};
inline TileSizes CutIntoTiles(int64_t rows, int packets) {
  if (rows == 0) return {0, 0, 0};  // of a part that has nothing to do
  const int64_t most = MaxTileRows(packets), tiles = (rows + most - 1) / most;
  return {tiles, rows / tiles, rows % tiles};
}

// How many packets a panel of weights is wide where `rows` neighbouring positions are computed at a time: what takes
// the fewest cycles, counting two multiplications or two loads in each, or one of four per chain; of several the
// narrowest or the widest.
inline int PanelPackets(int64_t rows, int64_t out, bool widest = false) {
  const int64_t packets = RoundUp(out, kLanes) / kLanes;
  const auto cycles = [&](int64_t width) {
    if (width == 0) return int64_t{0};
    const TileSizes sizes = CutIntoTiles(rows, static_cast<int>(width));
    const auto of_tile = [=](int64_t tile) { return Max(Max(tile * width, tile + width), 8); };
    return sizes.larger * of_tile(sizes.least + 1) + (sizes.tiles - sizes.larger) * of_tile(sizes.least);
  };
  int best = 1;
  int64_t fewest = 0;
  for (int width = 1; width <= kMaxTilePackets; ++width) {
    const int64_t all = packets / width * cycles(width) + cycles(packets % width);
    if (width > 1 && (widest ? all > fewest : all >= fewest)) continue;
    best = width;
    fewest = all;
  }
  return best;
}

// What a part of a call computes of so many channels, rows or positions, as equal as whole `panel`s allow.
struct Share {
  int64_t begin, end;
};
inline Share ShareOf(const ConvCall& call, int64_t count, int64_t panel) {
  const int64_t panels = (count + panel - 1) / panel;
  const auto first = [&](int64_t part) { return Min((panels * part + call.parts - 1) / call.parts * panel, count); };
  return {first(call.part), first(call.part + 1)};
}

// Of several rows a part computes some; else all parts share the lines of the only one.
inline Share RowShare(const ConvCall& call) {
  return call.rows > 1 ? ShareOf(call, call.rows, 1) : Share{0, call.rows};
}
inline Share LineShare(const ConvCall& call, int64_t lines, int64_t together = 1) {
  return call.rows > 1 ? Share{0, lines} : ShareOf(call, lines, together);
}

// Floats of weights that each part had better read for itself: it then finds most of its inputs in its own cache, where
// it has written them.
constexpr int64_t kFewWeights = int64_t{1} << 16;

// --- direct ----------------------------------------------------------------------------------------------------------

inline bool NeedsPadding(const ConvShape& s) {
  return s.pad_top != 0 || s.pad_left != 0 ||
         (s.out_height - 1) * s.stride_height + (s.kernel_height - 1) * s.dilation_height + 1 > s.height ||
         (s.out_width - 1) * s.stride_width + (s.kernel_width - 1) * s.dilation_width + 1 > s.width;
}
inline int64_t PaddedHeight(const ConvShape& s) {
  const int64_t seen = (s.out_height - 1) * s.stride_height + (s.kernel_height - 1) * s.dilation_height + 1;
  return NeedsPadding(s) ? seen : s.height;
}
inline int64_t PaddedWidth(const ConvShape& s) {
  const int64_t seen = (s.out_width - 1) * s.stride_width + (s.kernel_width - 1) * s.dilation_width + 1;
  return NeedsPadding(s) ? seen : s.width;
}

// Without a window to speak of, an image is one long line of positions.
inline bool IsOneLine(const ConvShape& s) {
  return s.kernel_height == 1 && s.kernel_width == 1 && s.stride_height == 1 && s.stride_width == 1 &&
         !NeedsPadding(s) && s.out_height == s.height && s.out_width == s.width;
}

inline int DirectPanelPackets(const ConvShape& s) {
  return PanelPackets(IsOneLine(s) ? s.out_height * s.out_width : s.out_width, s.out_channels);
}

inline int64_t DirectDepth(const ConvShape& s) { return s.kernel_height * s.kernel_width * s.channels; }

// What is packed: the bias of each channel, padded to whole packets, and the weights behind it.
template <typename Weight>
inline int64_t PackedConvElements(const ConvShape& s, int64_t weights_per_channel) {
  const int64_t channels = RoundUp(s.out_channels, kLanes);
  return channels + FloatsFor<Weight>(channels * weights_per_channel);
}
template <typename Weight>
inline const Weight* PackedWeights(const ConvShape& s, const float* packed) {
  return reinterpret_cast<const Weight*>(packed + RoundUp(s.out_channels, kLanes));
}
// Returns where the weights begin.
template <typename Weight>
inline Weight* PackBias(const ConvShape& s, const float* bias, float* packed) {
  const int64_t channels = RoundUp(s.out_channels, kLanes);
  for (int64_t o = 0; o < channels; ++o) packed[o] = o < s.out_channels ? bias[o] : 0;
  return reinterpret_cast<Weight*>(packed + channels);
}

template <typename Weight>
int64_t DirectPackedElements(const ConvShape* s) {
  return PackedConvElements<Weight>(*s, DirectDepth(*s));
}

// The bias, then panel by panel [kernel_height, kernel_width, channels, panel].
template <typename Weight>
void PackDirect(const ConvShape* s, const float* weights, const float* bias, float* packed) {
  const int64_t padded = RoundUp(s->out_channels, kLanes), panel = DirectPanelPackets(*s) * kLanes;
  Weight* to = PackBias<Weight>(*s, bias, packed);
  const int64_t steps = s->kernel_height * s->kernel_width;
  for (int64_t first = 0; first < padded; first += panel) {
    const int64_t width = padded - first < panel ? padded - first : panel;
    for (int64_t step = 0; step < steps; ++step) {
      for (int64_t c = 0; c < s->channels; ++c) {
        for (int64_t o = first; o < first + width; ++o) {
          *to++ = ToWeight<Weight>(o < s->out_channels ? weights[(o * s->channels + c) * steps + step] : 0);
        }
      }
    }
  }
}

// Of two lines of outputs, for the panel that is being computed; none where outputs cannot be pooled.
inline int64_t LinePairElements(const ConvShape& s) {
  const bool even = s.out_height % 2 == 0 && s.out_width % 2 == 0;
  return even ? 2 * s.out_width * DirectPanelPackets(s) * kLanes : 0;
}

// Counts of channels, a pair of lines if outputs are pooled, and the padded image.
int64_t DirectScratchElements(const ConvShape* s) {
  const int64_t image = NeedsPadding(*s) ? PaddedHeight(*s) * PaddedWidth(*s) * s->channels : 0;
  return RoundUp(s->out_channels, kLanes) + LinePairElements(*s) + image;
}

// Copies what windows see of an image between zeros.
inline void Pad(const ConvShape& s, const float* x, float* padded) {
  const int64_t height = PaddedHeight(s), line = PaddedWidth(s) * s.channels;
  const int64_t left = s.pad_left * s.channels;
  const int64_t rest = line - left;
  const int64_t used = rest < 0 ? 0 : s.width * s.channels < rest ? s.width * s.channels : rest;
  for (int64_t y = 0; y < height; ++y, padded += line) {
    const int64_t from = y - s.pad_top;
    if (from < 0 || from >= s.height || used == 0) {
      __builtin_memset(padded, 0, line * sizeof(float));
      continue;
    }
    __builtin_memset(padded, 0, left * sizeof(float));
    __builtin_memcpy(padded + left, x + from * s.width * s.channels, used * sizeof(float));
    __builtin_memset(padded + left + used, 0, (line - left - used) * sizeof(float));
  }
}

// All tiles of a line of `positions` outputs for one panel.
template <typename Weight>
inline void RunLine(ConvTile<Weight> tile, int packets, int64_t positions) {
  const TileSizes sizes = CutIntoTiles(positions, packets);
  for (int64_t t = 0; t < sizes.tiles; ++t) {
    const int64_t rows = sizes.RowsOf(t);
    kConvTiles<Weight>.conv[packets][rows](tile);
    tile.x += rows * tile.sum->row_stride;
    tile.y += rows * tile.y_stride;
  }
}

// The largest of each 2x2 outputs of a pair of lines [2, out_width, panel], `columns` channels of which are real.
inline void PoolLines(const ConvShape& s, const float* lines, int64_t panel, int64_t columns, float* y) {
  for (int64_t x = 0; x < s.out_width; x += 2, y += s.out_channels) {
    for (int64_t c = 0; c < columns; c += kLanes) {
      const int64_t width = columns - c;
      StorePart(y + c, width, LargestOfFour(lines + x * panel + c, panel, s.out_width * panel, width));
    }
  }
}

template <typename Weight>
void RunDirect(const ConvCall* call) {
  const ConvShape& s = *call->shape;
  const int64_t channels = RoundUp(s.out_channels, kLanes);
  const int packets = DirectPanelPackets(s);
  const bool one_line = IsOneLine(s) && !call->pooled, padding = NeedsPadding(s);
  const int64_t line = PaddedWidth(s) * s.channels;
  const int64_t positions = one_line ? s.out_height * s.out_width : s.out_width;
  Sum sum;
  sum.lines = s.kernel_height;
  sum.line_stride = s.dilation_height * line;
  const bool in_one_piece = s.dilation_width == 1;
  sum.steps = in_one_piece ? 1 : s.kernel_width;
  sum.step_stride = s.dilation_width * s.channels;
  sum.depth = in_one_piece ? s.kernel_width * s.channels : s.channels;
  sum.row_stride = s.stride_width * s.channels;
  Share outputs = {0, channels}, rows = {0, call->rows}, lines = {0, one_line ? 1 : s.out_height};
  Share in_line = {0, positions};
  if (DirectDepth(s) * channels > kFewWeights && channels >= call->parts * packets * kLanes) {
    outputs = ShareOf(*call, channels, packets * kLanes);
  } else {
    rows = RowShare(*call);
    (one_line ? in_line : lines) = LineShare(*call, one_line ? positions : s.out_height, call->pooled ? 2 : 1);
  }
  float* const pair = call->scratch + channels;
  float* const padded = pair + LinePairElements(s);
  const float* x = call->x + rows.begin * call->images * s.height * s.width * s.channels;
  const int64_t image_out = s.out_height * s.out_width * s.out_channels / (call->pooled ? 4 : 1);
  float* y = call->y + rows.begin * call->images * image_out;
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    Finisher finisher = BeginRow(*call, row, channels, call->scratch);
    for (int64_t image = 0; image < call->images; ++image) {
      if (padding) Pad(s, x, padded);
      const float* source = padding ? padded : x;
      ConvTile<Weight> tile;
      tile.sum = &sum;
      tile.bias = call->packed + outputs.begin;
      tile.weights = PackedWeights<Weight>(s, call->packed) + DirectDepth(s) * outputs.begin;
      tile.y_stride = s.out_channels;
      tile.finisher = &finisher;
      for (int64_t first = outputs.begin; first < outputs.end; first += packets * kLanes) {
        const int wide =
            static_cast<int>((channels - first) / kLanes < packets ? (channels - first) / kLanes : packets);
        tile.channel = first;
        tile.columns = s.out_channels - first < wide * kLanes ? s.out_channels - first : wide * kLanes;
        for (int64_t oy = lines.begin; oy < lines.end; ++oy) {
          tile.x = source + oy * s.stride_height * line + in_line.begin * sum.row_stride;
          if (call->pooled) {
            tile.y_stride = wide * kLanes;
            tile.y = pair + oy % 2 * s.out_width * tile.y_stride;
          } else {
            tile.y = y + (oy * s.out_width + in_line.begin) * s.out_channels + first;
          }
          RunLine(tile, wide, in_line.end - in_line.begin);
          if (!call->pooled || oy % 2 == 0) continue;
          PoolLines(s, pair, tile.y_stride, tile.columns, y + oy / 2 * (s.out_width / 2) * s.out_channels + first);
        }
        tile.bias += wide * kLanes;
        tile.weights += DirectDepth(s) * wide * kLanes;
      }
      x += s.height * s.width * s.channels;
      y += image_out;
    }
    EndRow(finisher, s.out_channels, call->counts);
  }
}

}  // namespace
}  // namespace halfwave::kernels
