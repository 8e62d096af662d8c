// Fully connected layers. Weights lie in panels of up to kPanelPackets registers of outputs: the bias, then one line
// per input. One layout serves all paths: a tile of rows reads a few neighbouring registers of each line, a row alone
// the whole line, and a row with many zeros only the lines of its other inputs. Weight is float or Half: what is
// stored; the bias and all arithmetic are floats.
#pragma once

#include "model/kernels/isa/epilogue.inc.h"

namespace halfwave::kernels {
namespace {

// Eight chains of additions keep both multipliers busy (latency 4).
constexpr int kPanelPackets = 8;

constexpr int64_t kPanel = kPanelPackets * kLanes;

// Sums of a tile, and the packets of a tile of so many rows.
constexpr int kSums = kRegisters >= 32 ? 24 : 12;
constexpr int kMaxTileRows = kSums / 2;
constexpr int TilePackets(int rows) { return kSums / rows < kPanelPackets ? kSums / rows : kPanelPackets; }

// Weights in a block of a panel for the first-level cache, and lines in one for the second-level cache; how few rows
// need no block of the second, and how many pass by a block at most.
template <typename Weight>
constexpr int64_t kNearWeights = (16 << 10) / sizeof(Weight);
constexpr int64_t kBlockLines = 384;
constexpr int64_t kFewRows = kRegisters >= 32 ? 8 : 6;
constexpr int64_t kBlockRows = 240;

template <typename Weight>
struct Tile {
  const DenseCall* call;
  int64_t row;            // the first
  int64_t unit;           // the first
  int64_t columns;        // to be stored; the tile's packets may hold more
  const Weight* weights;  // of the tile's first packet, at line `k`
  const float* bias;      // where the sums begin; null: at what y holds
  int64_t line;           // weights from line to line
  int64_t k, depth;       // the lines to add
  int64_t ahead, step;    // weights to what will be read next, to be fetched meanwhile, and from line to line of that
  bool every;             // fetched is as much as is read, at every line, or at every other: half of it
  bool last;              // no more lines follow
};

// [rows, width] floats of y, whose rows are y_stride apart and have `columns` of them, to or from lines in one piece.
[[gnu::noinline]] void LoadColumns(const float* y, int64_t y_stride, int64_t rows, int64_t columns, int64_t width,
                                   float* lines) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < width; ++i) lines[r * width + i] = i < columns ? y[r * y_stride + i] : 0;
  }
}
[[gnu::noinline]] void StoreColumns(const float* lines, int64_t y_stride, int64_t rows, int64_t columns, int64_t width,
                                    float* y) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < columns; ++i) y[r * y_stride + i] = lines[r * width + i];
  }
}

// As everywhere: loops over sums are unrolled, so that these stay in registers.
template <typename Weight, int kRows, int kPackets>
[[gnu::always_inline]] inline void BeginSums(const Tile<Weight>& tile, Packet (&sums)[kRows][kPackets]) {
  constexpr int64_t kWidth = kPackets * kLanes;
  const float* from = tile.bias;
  int64_t stride = 0;
  alignas(64) float part[kRows * kWidth];
  if (from == nullptr) {
    stride = tile.call->y_stride;
    from = tile.call->y + tile.row * stride + tile.unit;
    if (tile.columns < kWidth) {
      LoadColumns(from, stride, kRows, tile.columns, kWidth, part);
      from = part;
      stride = kWidth;
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < kPackets; ++j) sums[r][j] = Load(from + r * stride + j * kLanes);
  }
}

template <typename Weight, int kRows, int kPackets>
[[gnu::always_inline]] inline void KeepSums(const Tile<Weight>& tile, const Packet (&sums)[kRows][kPackets]) {
  constexpr int64_t kWidth = kPackets * kLanes;
  float* const y = tile.call->y + tile.row * tile.call->y_stride + tile.unit;
  alignas(64) float part[kRows * kWidth];
  const bool whole = tile.columns == kWidth;
  float* to = whole ? y : part;
  const int64_t stride = whole ? tile.call->y_stride : kWidth;
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int j = 0; j < kPackets; ++j) Store(to + r * stride + j * kLanes, sums[r][j]);
  }
  if (!whole) StoreColumns(part, tile.call->y_stride, kRows, tile.columns, kWidth, y);
}

template <typename Weight, int kRows, int kPackets>
void RunTile(const Tile<Weight>& tile) {
  const DenseCall& call = *tile.call;
  Packet sums[kRows][kPackets];
  BeginSums(tile, sums);
  const float* x = call.x + tile.row * call.x_stride + tile.k;
  const Weight* weights = tile.weights;
  const Weight* next = weights + tile.ahead;
  const int64_t stride = call.x_stride, line = tile.line;
  const auto add = [&](int64_t k) {
    Packet w[kPackets];
#pragma GCC unroll 8
    for (int j = 0; j < kPackets; ++j) w[j] = LoadAligned(weights + j * kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const Packet value = Broadcast(x[r * stride + k]);
#pragma GCC unroll 8
      for (int j = 0; j < kPackets; ++j) sums[r][j] = MultiplyAdd(value, w[j], sums[r][j]);
    }
    weights += line;
  };
  const auto fetch = [&] {
#pragma GCC unroll 8
    for (int j = 0; j < kPackets; j += kLinePackets<Weight>) Fetch(next + j * kLanes);
    next += tile.step;
  };
  int64_t k = 0;
  for (; k + 1 < tile.depth; k += 2) {
    fetch();
    add(k);
    if (tile.every) fetch();
    add(k + 1);
  }
  if (k < tile.depth) {
    fetch();
    add(k);
  }
  if (tile.last) return Finish(call, tile.row, tile.unit, tile.columns, sums);
  KeepSums(tile, sums);
}

// Compiling a tile takes its time: of halves there are only those that the others can be put together from.
template <typename Weight>
constexpr bool IsCompiled(int rows, int packets) {
  if (packets > TilePackets(rows)) return false;
  if (sizeof(Weight) == sizeof(float)) return true;
  const bool has_rows = rows <= 4 || rows == 6 || rows == 12;
  return has_rows && (packets & (packets - 1)) == 0;
}

// Where so many rows, or packets of tiles of so many rows, are left, how many the next tile takes: tiles are as equal
// as possible or, of halves, each as large as possible.
template <typename Weight>
constexpr int NextRows(int left) {
  if constexpr (sizeof(Weight) == sizeof(float)) {
    const int tiles = (left + kMaxTileRows - 1) / kMaxTileRows;
    return (left + tiles - 1) / tiles;
  }
  int rows = left < kMaxTileRows ? left : kMaxTileRows;
  while (!IsCompiled<Weight>(rows, 1)) --rows;
  return rows;
}
template <typename Weight>
constexpr int NextPackets(int rows, int left) {
  if constexpr (sizeof(Weight) == sizeof(float)) {
    const int tiles = (left + TilePackets(rows) - 1) / TilePackets(rows);
    return (left + tiles - 1) / tiles;
  }
  int packets = left;
  while (!IsCompiled<Weight>(rows, packets)) --packets;
  return packets;
}

template <typename Weight>
using TileFunction = void (*)(const Tile<Weight>&);

template <typename Weight>
struct TileTable {
  TileFunction<Weight> functions[kMaxTileRows + 1][kPanelPackets + 1];
};

template <typename Weight, int kRows, int kPackets>
constexpr void FillTiles(TileTable<Weight>& table) {
  if constexpr (IsCompiled<Weight>(kRows, kPackets)) {
    table.functions[kRows][kPackets] = RunTile<Weight, kRows, kPackets>;
  }
  if constexpr (kPackets > 1) {
    FillTiles<Weight, kRows, kPackets - 1>(table);
  } else if constexpr (kRows > 1) {
    FillTiles<Weight, kRows - 1, kPanelPackets>(table);
  }
}

template <typename Weight>
constexpr TileTable<Weight> MakeTiles() {
  TileTable<Weight> table = {};
  FillTiles<Weight, kMaxTileRows, kPanelPackets>(table);
  return table;
}

template <typename Weight>
constexpr TileTable<Weight> kTiles = MakeTiles<Weight>();

// Where the panel that begins with unit `first` lies, with its bias in front, and the weights of one of its lines.
template <typename Weight>
inline const float* PanelOf(const DenseCall& call, int64_t first) {
  constexpr int64_t kSize = sizeof(Weight);
  return call.packed + first + call.in * first * kSize / static_cast<int64_t>(sizeof(float));
}
inline int64_t LineOf(const DenseCall& call, int64_t first) {
  const int64_t rest = RoundUp(call.out, kLanes) - first;
  return rest < kPanel ? rest : kPanel;
}

template <typename Weight>
inline const Weight* LinesOf(const DenseCall& call, int64_t first_unit, int64_t k) {
  const int64_t line = LineOf(call, first_unit);
  return reinterpret_cast<const Weight*>(PanelOf<Weight>(call, first_unit) + line) + k * line;
}

// Adds lines [k, k + depth) of one panel to `rows` rows, and fetches as many that begin `ahead` weights behind these,
// if that is not 0: each tile the same part of them as it reads, or the same share in one piece.
template <typename Weight>
inline void RunPanelBlock(const DenseCall& call, int64_t first_row, int64_t rows, int64_t first_unit, int64_t k,
                          int64_t depth, int64_t ahead, bool in_one_piece) {
  const int64_t line = LineOf(call, first_unit);
  const float* panel = PanelOf<Weight>(call, first_unit);
  const Weight* lines = LinesOf<Weight>(call, first_unit, k);
  Tile<Weight> tile;
  tile.call = &call;
  tile.line = line;
  tile.k = k;
  tile.depth = depth;
  tile.last = k + depth == call.in;
  tile.row = first_row;
  tile.every = rows <= kMaxTileRows;
  const int packets = static_cast<int>(line / kLanes);
  int row_tile = 0;
  for (int left = static_cast<int>(rows); left > 0;) {  // at most kBlockRows
    const int tile_rows = NextRows<Weight>(left);
    for (int packet = 0; packet < packets;) {
      const int tile_packets = NextPackets<Weight>(tile_rows, packets - packet);
      tile.unit = first_unit + packet * kLanes;
      tile.columns = call.out - tile.unit < tile_packets * kLanes ? call.out - tile.unit : tile_packets * kLanes;
      tile.bias = k == 0 ? panel + packet * kLanes : nullptr;
      tile.weights = lines + packet * kLanes;
      tile.step = in_one_piece ? tile_packets * kLanes : line;
      tile.ahead = 0;
      if (ahead != 0 && row_tile < 2) {  // two fetch half each: one alone would wait for it
        const int64_t place = in_one_piece ? packet * kLanes * (depth - 1) : 0;
        tile.ahead = ahead + place + row_tile * (depth / 2) * tile.step;
      }
      kTiles<Weight>.functions[tile_rows][tile_packets](tile);
      packet += tile_packets;
    }
    tile.row += tile_rows;
    left -= tile_rows;
    ++row_tile;
  }
}

// One panel after the other: few rows wait for the weights above all, and so get them in the order of memory. Tiles
// that read a part of each line do so in blocks that stay in the first-level cache with the next one, which they fetch
// in one piece: from memory, parts of lines take twice the time. From the third-level cache they do not, and there are
// registers enough not to look for them in the first.
template <typename Weight>
inline void RunFewRows(const DenseCall& call, int64_t first_row, int64_t rows) {
  constexpr int64_t kFarWeights = (int64_t{4} << 20) / sizeof(Weight);
  const bool far = call.in * call.out >= kFarWeights;
  for (int64_t unit = 0; unit < call.out; unit += kPanel) {
    const int64_t line = LineOf(call, unit);
    const bool whole_lines = TilePackets(static_cast<int>(Min(rows, kMaxTileRows))) * kLanes >= line;
    const bool in_blocks = !whole_lines && (far || kRegisters < 32);
    const int64_t block = in_blocks ? kNearWeights<Weight> / line : call.in;
    int64_t k = 0;
    do {
      const int64_t depth = call.in - k < block + block / 2 ? call.in - k : block;
      // What follows may be the next panel.
      const int64_t ahead = in_blocks ? depth * line : whole_lines ? kNearWeights<Weight> / 2 : kNearWeights<Weight>;
      RunPanelBlock<Weight>(call, first_row, rows, unit, k, depth, ahead, in_blocks);
      k += depth;
    } while (k < call.in);
  }
}

// Some lines of all panels, then the next: a block of weights stays in the second-level cache while all rows pass by.
template <typename Weight>
inline void RunManyRows(const DenseCall& call, int64_t first_row, int64_t rows) {
  int64_t k = 0;
  do {
    const int64_t depth = call.in - k < kBlockLines + kBlockLines / 2 ? call.in - k : kBlockLines;
    for (int64_t unit = 0; unit < call.out; unit += kPanel) {
      const bool last_panel = unit + kPanel >= call.out;
      const int64_t next_k = last_panel ? k + depth : k;
      const Weight* next = LinesOf<Weight>(call, last_panel ? 0 : unit + kPanel, next_k);
      const int64_t ahead = next_k == call.in ? 0 : next - LinesOf<Weight>(call, unit, k);
      RunPanelBlock<Weight>(call, first_row, rows, unit, k, depth, ahead, true);
    }
    k += depth;
  } while (k < call.in);
}

template <typename Weight>
inline void RunDenseRows(const DenseCall& call, int64_t first_row, int64_t rows) {
  if (rows <= kFewRows) {
    RunFewRows<Weight>(call, first_row, rows);
  } else {
    RunManyRows<Weight>(call, first_row, rows);
  }
}

// --- skipping zeros -------------------------------------------------------------------------------------------------

// Rows whose lists are kept at once, and lines of weights in the block of a panel that they share in the cache.
constexpr int64_t kListRows = 64;
constexpr int64_t kNearLines = 64;

// The inputs of several rows that are not zero: values, and their positions, which rise within a row. A position beyond
// all others ends each row.
struct LiveInputs {
  float* values;
  int32_t* positions;
  int64_t at[kListRows];  // per row, what comes next
};
constexpr int32_t kNoPosition = 0x7fffffff;

// Rows that take turns, so that there are chains enough to keep both multipliers busy.
constexpr int kLiveRows = kRegisters >= 32 ? 2 : 1;

// Adds those of a tile's lines that come before `limit` to the rows that need them; `at`, of each row, moves on.
template <typename Weight, int kRows, int kPackets>
void AddLive(const Tile<Weight>& tile, const LiveInputs& live, int64_t limit, int64_t* at) {
  constexpr int64_t kLine = kPackets * kLanes;
  Packet sums[kRows][kPackets];
  BeginSums(tile, sums);
  const float* const values = live.values;
  const int32_t* const positions = live.positions;
  int64_t i[kRows];
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) i[r] = at[r];
  const auto add = [&](int r, int64_t position) {
    const Weight* weights = tile.weights + position * kLine;
    const Packet value = Broadcast(values[i[r]]);
#pragma GCC unroll 8
    for (int j = 0; j < kPackets; ++j) sums[r][j] = MultiplyAdd(value, LoadAligned(weights + j * kLanes), sums[r][j]);
    ++i[r];
  };
  if constexpr (kRows == 2) {
    for (;;) {
      const int64_t first = positions[i[0]], second = positions[i[1]];
      if (Max(first, second) >= limit) break;
      add(0, first);
      add(1, second);
    }
  }
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    for (int64_t position = positions[i[r]]; position < limit; position = positions[i[r]]) add(r, position);
    at[r] = i[r];
  }
  if (tile.last) return Finish(*tile.call, tile.row, tile.unit, tile.columns, sums);
  KeepSums(tile, sums);
}

template <typename Weight>
using LiveFunction = void (*)(const Tile<Weight>&, const LiveInputs&, int64_t, int64_t*);
template <typename Weight, int kRows>
constexpr LiveFunction<Weight> kAddLive[kPanelPackets + 1] = {nullptr,
                                                              AddLive<Weight, kRows, 1>,
                                                              AddLive<Weight, kRows, 2>,
                                                              AddLive<Weight, kRows, 3>,
                                                              AddLive<Weight, kRows, 4>,
                                                              AddLive<Weight, kRows, 5>,
                                                              AddLive<Weight, kRows, 6>,
                                                              AddLive<Weight, kRows, 7>,
                                                              AddLive<Weight, kRows, 8>};

// Of all inputs of some rows.
inline int64_t CountZeros(const DenseCall& call, int64_t first_row, int64_t rows) {
  const Packet zero = Broadcast(0);
  const int64_t whole = call.in / kLanes * kLanes;
  Counts zeros = {};
  int64_t sum = 0;
  for (int64_t row = first_row; row < first_row + rows; ++row) {
    const float* x = call.x + row * call.x_stride;
    for (int64_t i = 0; i < whole; i += kLanes) zeros = CountMask(zeros, Equal(Load(x + i), zero));
    for (int64_t i = whole; i < call.in; ++i) sum += x[i] == 0 ? 1 : 0;
  }
  return sum + static_cast<int64_t>(SumOf(zeros));
}

// How several rows share the lines of a panel.
struct LivePlan {
  bool blocks;  // a block of lines for all rows, then the next: it comes from afar once, and stays near for the others
  bool fetch;   // the rows need nearly all lines: the next block may be fetched unseen
};

template <typename Weight>
inline void RunLivePanel(const DenseCall& call, int64_t first_row, int64_t rows, int64_t unit, const LivePlan& plan,
                         const LiveInputs& live) {
  Tile<Weight> tile = {};
  tile.call = &call;
  tile.unit = unit;
  tile.line = LineOf(call, unit);
  tile.columns = Min(call.out - unit, tile.line);
  tile.weights = LinesOf<Weight>(call, unit, 0);
  const LiveFunction<Weight> add_one = kAddLive<Weight, 1>[tile.line / kLanes];
  const LiveFunction<Weight> add = kAddLive<Weight, kLiveRows>[tile.line / kLanes];
  const int64_t lines = plan.blocks ? kNearLines * kPanel / tile.line : call.in;
  int64_t at[kListRows];
  for (int64_t r = 0; r < rows; ++r) at[r] = live.at[r];
  for (int64_t k = 0; k < call.in; k += lines) {
    const int64_t limit = Min(k + lines, call.in);
    tile.last = limit == call.in;
    tile.bias = k == 0 ? PanelOf<Weight>(call, unit) : nullptr;
    const Weight* next = tile.weights + limit * tile.line;
    const int64_t share = plan.blocks && plan.fetch ? RoundUp(lines * tile.line / rows, kLineWeights<Weight>) : 0;
    for (int64_t r = 0; r < rows;) {
      const int64_t together = rows - r < kLiveRows ? 1 : kLiveRows;
      for (int64_t i = 0; i < together * share; i += kLineWeights<Weight>) Fetch(next + i);
      next += together * share;
      tile.row = first_row + r;
      (together == 1 ? add_one : add)(tile, live, limit, &at[r]);
      r += together;
    }
  }
}

// Whether the rows that skip zeros have the next block of weights fetched while they need all of this one: where it is
// far enough to be worth it, and they are enough that each fetches only a little of it.
template <typename Weight>
inline bool FetchingPays(const DenseCall& call, int64_t rows) {
  return rows * call.in * call.out * static_cast<int64_t>(sizeof(Weight)) >= int64_t{192} << 20;
}

template <typename Weight>
inline void RunLiveRows(const DenseCall& call, int64_t first_row, int64_t rows) {
  LiveInputs live;
  const int64_t room = kListRows < rows ? kListRows : rows;
  live.values = call.scratch;
  live.positions = reinterpret_cast<int32_t*>(call.scratch + room * (call.in + 1) + kLanes);
  while (rows > 0) {
    const int64_t listed = Min(rows, kListRows);
    int64_t end = 0;
    for (int64_t r = 0; r < listed; ++r) {
      live.at[r] = end;
      const float* x = call.x + (first_row + r) * call.x_stride;
      end += ListNotZero(x, call.in, live.values + end, live.positions + end);
      live.positions[end++] = kNoPosition;
    }
    // A block is worth what it costs if it holds some 16 inputs of each row.
    const LivePlan plan = {listed > 1 && end * kNearLines >= 16 * listed * call.in,
                           end >= 2 * call.in && FetchingPays<Weight>(call, listed)};
    for (int64_t unit = 0; unit < call.out; unit += kPanel) {
      RunLivePanel<Weight>(call, first_row, listed, unit, plan, live);
    }
    first_row += listed;
    rows -= listed;
  }
}

// Whether skipping zeros takes less time. Only how many inputs of the first rows are zero decides, and both ways give
// the same bits. In units of half a cycle, measured on Zen 5 and rounded:
// - a multiply-add takes 17/16, but a chain of them 8 a step; with a line picked by a list 13/8, and 80 more for each
//   row and block of lines;
// - a line from afar takes 1.5 per 4 floats if one row alone picks it; halves take half. Where several rows share it,
//   5/8 of that are seen, or if the weights are many 9/8, but 6/8 where all lines are read one after the other and 5/8
//   where they are fetched;
// - listing takes 3 for each input, where there is an instruction for it a sixth.
template <typename Weight>
inline bool SkippingPays(const DenseCall& call, int64_t first_row, int64_t rows) {
  constexpr int64_t kChain = 8, kQuads = kLanes / 4;
  constexpr int64_t kManyBytes = int64_t{8} << 20;
  const int64_t packets = RoundUp(call.out, kLanes) / kLanes;
  const int64_t inputs = rows * call.in;
  constexpr int64_t kSize = sizeof(Weight);
  const int64_t from_afar = packets * kQuads * 3 * kSize / 8;  // a line
  const bool many = call.in * call.out * kSize >= kManyBytes;
  const int64_t seen = from_afar * (many ? 9 : 5) / 8;
  const int64_t waiting = from_afar * (many && rows > 1 ? 6 : many ? 9 : 5) / 8 + rows * packets / 3;
  const int64_t dense = call.in * Max(Max(rows * packets * 17 / 16, kChain), waiting);
  const int64_t listing = kLanes == 16 ? inputs / 2 : inputs * 3;
  if (dense < (rows == 1 ? 1024 : 4096) || listing >= dense) return false;
  const int64_t sample = Min(rows, 16);
  const int64_t live = inputs - CountZeros(call, first_row, sample) * rows / sample;
  if (rows == 1) return listing + live * Max(kChain, from_afar) < dense;
  const int64_t blocks = (call.in + kNearLines - 1) / kNearLines * ((packets + kPanelPackets - 1) / kPanelPackets);
  const int64_t arithmetic = live * Max(kChain, packets * 13 / 8) + rows * blocks * 80;
  const int64_t listed = Min(rows, kListRows), live_listed = live * listed / rows;
  const int64_t lines = live * call.in / (live_listed + call.in);  // about what at least one row of a list needs
  return listing + arithmetic + lines * (FetchingPays<Weight>(call, listed) ? from_afar * 5 / 8 : seen) < dense;
}

template <typename Weight>
void RunDense(const DenseCall* call) {
  for (int64_t row = 0; row < call->rows; row += kBlockRows) {
    const int64_t rows = call->rows - row < kBlockRows ? call->rows - row : kBlockRows;
    if (SkippingPays<Weight>(*call, row, rows)) {
      RunLiveRows<Weight>(*call, row, rows);
    } else {
      RunDenseRows<Weight>(*call, row, rows);
    }
  }
}

int64_t DenseScratchElements(int64_t rows, int64_t in) { return (Min(rows, kListRows) * (in + 1) + kLanes) * 2; }

template <typename Weight>
int64_t DensePackedElements(int64_t in, int64_t out) {
  return RoundUp(out, kLanes) + FloatsFor<Weight>(RoundUp(out, kLanes) * in);
}

// Where the inputs of a block of lines stand in the file, from the first input on.
inline void PlacesOf(const DenseWeights& w, int64_t first, int64_t lines, int64_t* places) {
  const int64_t channels = w.in / w.positions;
  for (int64_t l = 0; l < lines; ++l) {
    const int64_t k = first + l;
    places[l] = (k % channels * w.positions + k / channels) * w.in_stride;
  }
}

template <typename Weight>
void PackDense(const DenseWeights* weights, float* packed) {
  constexpr int64_t kAtOnce = 128;  // inputs: few enough that the lines written stay in the cache
  const DenseWeights& w = *weights;
  const int64_t padded = RoundUp(w.out, kLanes);
  for (int64_t unit = 0; unit < padded; unit += kPanel) {
    const int64_t line = Min(padded - unit, kPanel), used = Min(w.out - unit, line);
    for (int64_t i = 0; i < line; ++i) packed[i] = i < used ? w.bias[unit + i] : 0;
    Weight* to = reinterpret_cast<Weight*>(packed + line);
    for (int64_t k = 0; k < w.in; k += kAtOnce) {
      const int64_t lines = Min(w.in - k, kAtOnce);
      int64_t places[kAtOnce];
      PlacesOf(w, k, lines, places);
      const float* source = w.values + unit * w.out_stride;
      if (w.out_stride == 1) {
        for (int64_t l = 0; l < lines; ++l) {
          for (int64_t i = 0; i < used; ++i) to[l * line + i] = ToWeight<Weight>(source[places[l] + i]);
        }
      } else {
        // A cache line of each of a few outputs at a time.
        for (int64_t i = 0; i < used; i += 16) {
          const int64_t outputs = Min(used - i, 16);
          for (int64_t l = 0; l < lines; ++l) {
            const float* from = source + places[l] + i * w.out_stride;
            Weight* part = to + l * line + i;
            if (outputs == 16) {
#pragma GCC unroll 16
              for (int64_t o = 0; o < 16; ++o) part[o] = ToWeight<Weight>(from[o * w.out_stride]);
            } else {
              for (int64_t o = 0; o < outputs; ++o) part[o] = ToWeight<Weight>(from[o * w.out_stride]);
            }
          }
        }
      }
      for (int64_t l = 0; l < lines; ++l) {
        for (int64_t i = used; i < line; ++i) to[l * line + i] = {};
      }
      to += lines * line;
    }
    packed = reinterpret_cast<float*>(to);
  }
}

}  // namespace
}  // namespace halfwave::kernels
