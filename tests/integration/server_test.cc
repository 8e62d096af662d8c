// The whole server in this process, on free ports, spoken to by a real gRPC client.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <future>
#include <iostream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "httplib.h"
#include "model/engine/proof.h"
#include "model/onnx/reader.h"
#include "model/onnx/writer.h"
#include "nlohmann/json.hpp"
#include "proto/health_json.h"
#include "proto/neuron_health.grpc.pb.h"
#include "proto/open_inference.grpc.pb.h"
#include "server/app.h"
#include "tests/support/kill_units.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using inference::GRPCInferenceService;
using testing::AllOf;
using testing::HasSubstr;

// A server with the given options on free ports of the loopback address, and a client's stubs.
class RunningServer {
 public:
  explicit RunningServer(Options options = {}) : app_(OnFreePorts(options)) {
    const absl::Status status = app_.Start();
    EXPECT_TRUE(status.ok()) << status;
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", app_.grpc_port()),
                                         grpc::InsecureChannelCredentials(), arguments);
    stub = GRPCInferenceService::NewStub(channel_);
    health = v1::NeuronHealth::NewStub(channel_);
  }

  App& app() { return app_; }
  std::shared_ptr<grpc::Channel> channel() { return channel_; }
  std::string Get(const std::string& path, int* code = nullptr) {
    httplib::Client client("127.0.0.1", app_.http_port());
    const auto result = client.Get(path.c_str());
    if (code != nullptr) *code = result ? result->status : -1;
    return result ? result->body : "";
  }

  std::unique_ptr<GRPCInferenceService::Stub> stub;
  std::unique_ptr<v1::NeuronHealth::Stub> health;

 private:
  static Options OnFreePorts(Options options) {
    options.grpc = "127.0.0.1:0";
    options.http = "127.0.0.1:0";
    return options;
  }

  App app_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A request for the built-in digits, or another model of the same input, with raw rows.
inference::ModelInferRequest DigitsRequest(const std::vector<float>& pixels, const std::string& model = "digits",
                                           const std::vector<int64_t>& row_shape = {1, 8, 8}) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  request.set_id("id-7");
  auto* input = request.add_inputs();
  input->set_name("image");
  input->set_datatype("FP32");
  int64_t elements = 1;
  for (const int64_t dimension : row_shape) elements *= dimension;
  input->add_shape(static_cast<int64_t>(pixels.size()) / elements);
  for (const int64_t dimension : row_shape) input->add_shape(dimension);
  request.add_raw_input_contents(pixels.data(), pixels.size() * sizeof(float));
  return request;
}

grpc::Status Infer(RunningServer& server, const inference::ModelInferRequest& request,
                   inference::ModelInferResponse& response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  return server.stub->ModelInfer(&context, request, &response);
}

std::vector<float> Floats(const std::string& raw) {
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), values.size() * sizeof(float));
  return values;
}

// Rows of numbers from a CSV file of the zoo, without its header.
std::vector<std::vector<float>> ReadCsv(const std::string& name) {
  std::ifstream file(ProjectRoot() / "model" / "zoo" / name);
  std::vector<std::vector<float>> rows;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    auto& row = rows.emplace_back();
    for (const auto field : absl::StrSplit(line, ','))
      EXPECT_TRUE(absl::SimpleAtof(field, &row.emplace_back())) << line;
  }
  return rows;
}

struct Digits {
  std::vector<int> labels;
  std::vector<float> pixels;
};

Digits HeldOutDigits() {
  Digits digits;
  for (const auto& row : ReadCsv("digits_heldout.csv")) {
    digits.labels.push_back(static_cast<int>(row[0]));
    for (size_t i = 1; i < row.size(); ++i) digits.pixels.push_back(row[i] / 16);
  }
  return digits;
}

// The share of held-back digits the model names, and its outputs, asked in requests of 100 rows.
double Accuracy(RunningServer& server, const std::string& model, const std::vector<int64_t>& row_shape,
                std::vector<float>& outputs) {
  const Digits digits = HeldOutDigits();
  for (size_t first = 0; first < digits.labels.size(); first += 100) {
    const size_t last = std::min(digits.labels.size(), first + 100);
    const std::vector<float> pixels(digits.pixels.begin() + first * 64, digits.pixels.begin() + last * 64);
    inference::ModelInferResponse response;
    const grpc::Status status = Infer(server, DigitsRequest(pixels, model, row_shape), response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    const std::vector<float> values = Floats(response.raw_output_contents(0));
    outputs.insert(outputs.end(), values.begin(), values.end());
  }
  size_t right = 0;
  for (size_t row = 0; row < digits.labels.size(); ++row) {
    const auto begin = outputs.begin() + row * 10;
    right += std::max_element(begin, begin + 10) - begin == digits.labels[row] ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(digits.labels.size());
}

Options Zoo() {
  Options options;
  options.model = (ProjectRoot() / "model" / "zoo").string();
  return options;
}

TEST(Server, TheTrainedModelsReachTheirAccuracyOverGrpc) {
  RunningServer server(Zoo());
  std::vector<float> outputs;
  EXPECT_GE(Accuracy(server, "digits_cnn", {1, 8, 8}, outputs), 0.97);
  for (size_t row = 0; row < outputs.size() / 10; ++row) {
    double sum = 0;
    for (size_t i = 0; i < 10; ++i) sum += outputs[row * 10 + i];
    EXPECT_NEAR(sum, 1, 1e-6) << "row " << row;
  }
  outputs.clear();
  EXPECT_GE(Accuracy(server, "digits_mlp", {64}, outputs), 0.96);
}

// The bytes of a gzipped IDX file behind its header of `header` bytes.
std::vector<uint8_t> ReadIdx(const std::filesystem::path& path, size_t header) {
  std::vector<uint8_t> bytes(size_t{64} << 20);
  gzFile file = gzopen(path.c_str(), "rb");
  const int size = gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  EXPECT_GT(size, static_cast<int>(header));
  bytes.resize(std::max(size, 0));
  bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(header));
  return bytes;
}

TEST(Server, TheFashionModelReachesItsAccuracyOverGrpc) {
  const auto folder = SharedDir() / "data" / "fashion-mnist";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no Fashion-MNIST beside the checkout";
  const auto images = ReadIdx(folder / "t10k-images-idx3-ubyte.gz", 16);
  const auto labels = ReadIdx(folder / "t10k-labels-idx1-ubyte.gz", 8);
  constexpr size_t kPixels = 28 * 28;
  ASSERT_EQ(images.size(), labels.size() * kPixels);
  RunningServer server(Zoo());
  size_t right = 0;
  for (size_t first = 0; first < labels.size(); first += 100) {
    std::vector<float> pixels;
    for (size_t i = first * kPixels; i < (first + 100) * kPixels; ++i) pixels.push_back(images[i] / 255.0f);
    inference::ModelInferResponse response;
    ASSERT_TRUE(Infer(server, DigitsRequest(pixels, "fashion_cnn", {1, 28, 28}), response).ok());
    const auto outputs = Floats(response.raw_output_contents(0));
    for (size_t row = 0; row < 100; ++row) {
      const auto begin = outputs.begin() + row * 10;
      right += std::max_element(begin, begin + 10) - begin == labels[first + row] ? 1 : 0;
    }
  }
  std::cout << right << " of " << labels.size() << " right\n";
  EXPECT_GE(static_cast<double>(right) / static_cast<double>(labels.size()), 0.91);
}

TEST(Server, LogitsAgreeWithTheExportersWithinTheTolerance) {
  RunningServer server(Zoo());
  for (const auto& [model, row_shape] :
       std::map<std::string, std::vector<int64_t>>{{"digits_cnn", {1, 8, 8}}, {"digits_mlp", {64}}}) {
    std::vector<float> outputs;
    Accuracy(server, model + "_logits", row_shape, outputs);
    const auto expected = ReadCsv(model + "_logits.csv");
    ASSERT_EQ(outputs.size(), expected.size() * 10);
    for (size_t row = 0; row < expected.size(); ++row) {
      EXPECT_TRUE(WithinTolerance(expected[row], std::span(outputs).subspan(row * 10, 10))) << model << " row " << row;
    }
  }
}

TEST(Server, AddSoftmaxPutsProbabilitiesBeforeTheLogitsAndSaysSo) {
  Options options;
  options.model = (ProjectRoot() / "model" / "zoo" / "digits_cnn_logits.onnx").string();
  options.add_softmax = true;
  RunningServer server(options);
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(server, DigitsRequest(std::vector<float>(64, 0.5f), "digits_cnn_logits"), response).ok());
  ASSERT_EQ(response.outputs_size(), 2);
  EXPECT_EQ(response.outputs(0).name(), "probabilities");
  EXPECT_EQ(response.outputs(1).name(), "logits");
  const auto probabilities = Floats(response.raw_output_contents(0));
  EXPECT_NEAR(std::accumulate(probabilities.begin(), probabilities.end(), 0.0), 1, 1e-6);
  grpc::ClientContext context;
  inference::ModelMetadataRequest request;
  inference::ModelMetadataResponse metadata;
  request.set_name("digits_cnn_logits");
  ASSERT_TRUE(server.stub->ModelMetadata(&context, request, &metadata).ok());
  EXPECT_EQ(metadata.properties().at("halfwave.head"), "softmax (added)");
}

TEST(Server, HalfSizeWeightsMoveAnswersALittle) {
  std::vector<float> logits[2];
  for (const char* weights : {"fp32", "fp16"}) {
    Options options;
    options.model = (ProjectRoot() / "model" / "zoo" / "digits_mlp_logits.onnx").string();
    options.weights = weights;
    RunningServer server(options);
    Accuracy(server, "digits_mlp_logits", {64}, logits[options.weights == "fp16" ? 1 : 0]);
  }
  ASSERT_EQ(logits[0].size(), logits[1].size());
  EXPECT_NE(logits[0], logits[1]);
  for (size_t i = 0; i < logits[0].size(); ++i) ASSERT_NEAR(logits[0][i], logits[1][i], 0.05);
}

TEST(Server, TheAnswerIsRawAndSaysWhichVersionGaveIt) {
  RunningServer server;
  auto request = DigitsRequest(std::vector<float>(3 * 64, 0.25f));
  request.add_outputs()->set_name("probabilities");
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(server, request, response).ok());
  EXPECT_EQ(response.model_name(), "digits");
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.id(), "id-7");
  EXPECT_EQ(response.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response.outputs(0).shape(), testing::ElementsAre(3, 10));
  EXPECT_FALSE(response.outputs(0).has_contents());
  EXPECT_EQ(response.raw_output_contents(0).size(), 3u * 10 * sizeof(float));
}

TEST(Server, TypedContentsGiveTheSameAnswerAsRawOnes) {
  RunningServer server;
  const std::vector<float> pixels = Noise(64, 1, 0, 1);
  inference::ModelInferRequest typed = DigitsRequest(pixels);
  typed.clear_raw_input_contents();
  typed.mutable_inputs(0)->mutable_contents()->mutable_fp32_contents()->Add(pixels.begin(), pixels.end());
  inference::ModelInferResponse a, b;
  ASSERT_TRUE(Infer(server, DigitsRequest(pixels), a).ok());
  ASSERT_TRUE(Infer(server, typed, b).ok());
  EXPECT_EQ(a.raw_output_contents(0), b.raw_output_contents(0));
}

TEST(Server, MistakesAreAnsweredWithTheirCodeAndName) {
  RunningServer server;
  inference::ModelInferResponse response;
  auto request = DigitsRequest(std::vector<float>(64, 0));
  request.set_model_name("nobody");
  grpc::Status status = Infer(server, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("'nobody'"), HasSubstr("served are: digits")));

  request = DigitsRequest(std::vector<float>(64, 0));
  request.set_model_version("2");
  EXPECT_EQ(Infer(server, request, response).error_code(), grpc::StatusCode::NOT_FOUND);

  request = DigitsRequest(std::vector<float>(64, NAN));
  status = Infer(server, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), AllOf(HasSubstr("'image'"), HasSubstr("NaN or infinite")));

  status = Infer(server, DigitsRequest(std::vector<float>(129 * 64, 0)), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("1 to 128 rows, found 129"));

  EXPECT_THAT(server.Get("/metrics"), testing::Not(HasSubstr("nobody")));
}

TEST(Server, NonFiniteRowsPassWhenAllowedAndAreLeftOutOfTheStatistics) {
  Options options;
  options.allow_non_finite = true;
  RunningServer server(options);
  inference::ModelInferResponse response;
  EXPECT_TRUE(Infer(server, DigitsRequest(std::vector<float>(2 * 64, NAN)), response).ok());
  EXPECT_TRUE(Infer(server, DigitsRequest(std::vector<float>(3 * 64, 0.5f)), response).ok());
  v1::GetHealthRequest request;
  v1::GetHealthResponse health;
  request.set_model_name("digits");
  do {  // an answer does not wait for its counting
    grpc::ClientContext context;
    ASSERT_TRUE(server.health->GetHealth(&context, request, &health).ok());
  } while (health.samples_seen() + health.samples_not_counted() < 5);
  EXPECT_EQ(health.samples_seen(), 3u);
  EXPECT_EQ(health.samples_not_counted(), 2u);
}

TEST(Server, AMessageOverTheLimitIsRefusedAndTheServerGoesOn) {
  Options options;
  options.max_message_bytes = 4096;
  RunningServer server(options);
  inference::ModelInferResponse response;
  EXPECT_EQ(Infer(server, DigitsRequest(std::vector<float>(100 * 64, 0)), response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Infer(server, DigitsRequest(std::vector<float>(64, 0)), response).ok());
}

TEST(Server, MessagesOverGrpcsOwnDefaultOfFourMebibytesPass) {
  Options options;
  options.max_batch_rows = 32768;
  options.max_queue_rows = 65536;
  RunningServer server(options);
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(server, DigitsRequest(std::vector<float>(20000 * 64, 0.5f)), response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST(Server, UnitsOfEachLayerAreReportedOnceTheWindowIsFull) {
  Options options;
  options.activity_window = 360;
  options.model = (ProjectRoot() / "model" / "zoo" / "digits_cnn.onnx").string();
  RunningServer server(options);
  EXPECT_THAT(server.Get("/metrics"), testing::Not(HasSubstr("halfwave_layer_dead_units")));
  std::vector<float> outputs;
  Accuracy(server, "digits_cnn", {1, 8, 8}, outputs);
  server.app().Stop();  // what follows an answer is done by then
  const std::string metrics = server.app().MetricsText();
  EXPECT_THAT(
      metrics,
      HasSubstr(
          "halfwave_layer_dead_units{activation=\"Relu\",layer=\"relu3\",model=\"digits_cnn\",version=\"1\"} 20"));
  EXPECT_THAT(
      metrics,
      HasSubstr(
          "halfwave_layer_samples_total{activation=\"Relu\",layer=\"relu3\",model=\"digits_cnn\",version=\"1\"} 360"));
}

// A server of one model "planted" with one layer "relu" of three units on two values a row: the first two fire if their
// value is above zero, the third never does.
class PlantedServer : public RunningServer {
 public:
  explicit PlantedServer(Options options) : RunningServer(WithModel(options)) {}
  ~PlantedServer() { std::filesystem::remove_all(Folder()); }

  // Serves that many rows in one batch, and returns once they are counted.
  void Serve(int rows, float first, float second) {
    inference::ModelInferRequest request;
    request.set_model_name("planted");
    auto* input = request.add_inputs();
    input->set_name("x");
    input->set_datatype("FP32");
    input->add_shape(rows);
    input->add_shape(2);
    std::vector<float> values;
    for (int row = 0; row < rows; ++row) values.insert(values.end(), {first, second});
    request.add_raw_input_contents(values.data(), values.size() * sizeof(float));
    inference::ModelInferResponse response;
    const grpc::Status status = Infer(*this, request, response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    served_ += rows;
    v1::GetHealthRequest question;
    v1::GetHealthResponse answer;
    question.set_model_name("planted");
    do {  // an answer does not wait for its counting
      grpc::ClientContext context;
      ASSERT_TRUE(health->GetHealth(&context, question, &answer).ok());
    } while (answer.samples_seen() < served_);
  }

 private:
  static std::filesystem::path Folder() {
    return std::filesystem::path(testing::TempDir()) / absl::StrCat("halfwave_planted_", getpid());
  }

  static Options WithModel(Options options) {
    std::filesystem::create_directories(Folder());
    OnnxBuilder model(13);
    model.Input("x", {-1, 2})
        .Weight("w", {2, 3}, {1, 0, 0, 0, 1, 0})
        .Weight("b", {3}, {0, 0, -1})
        .Node("Gemm", {"x", "w", "b"}, {"z"})
        .Node("Relu", {"z"}, {"y"}, {{"name", "relu"}})
        .Output("y");
    std::ofstream(Folder() / "planted.onnx") << model.Bytes();
    std::ofstream(Folder() / "broken.onnx") << "this is no model";
    options.model = Folder().string();
    return options;
  }

  uint64_t served_ = 0;
};

std::vector<std::string> UnitStates(const nlohmann::json& layer) {
  std::vector<std::string> states;
  for (const auto& unit : layer.at("unit_health")) states.push_back(unit.at("state"));
  return states;
}

TEST(Server, HttpTellsOfEachUnitAsJson) {
  Options options;
  options.activity_window = 20;
  options.profile_from_first = 100;
  PlantedServer server(options);
  const std::string path = "/v1/models/planted/health";
  server.Serve(100, 1, 1);
  nlohmann::json health = nlohmann::json::parse(server.Get(path));
  EXPECT_EQ(health["model"], "planted");
  EXPECT_EQ(health["version"], "1");
  EXPECT_EQ(health["samples_seen"], 100);
  EXPECT_EQ(health["reference_samples"], 100);
  EXPECT_FALSE(health["layers"][0].contains("unit_health"));
  server.Serve(20, 1, -1);
  for (const char* query : {"?units=relu", "?units=*", "?version=1&units=%72elu"}) {
    health = nlohmann::json::parse(server.Get(path + query));
    const nlohmann::json& layer = health["layers"][0];
    EXPECT_EQ(layer["family"], "rectifier");
    EXPECT_EQ(layer["went_silent_units"], 1);
    EXPECT_NEAR(layer["activity"], 1 / 3.0, 1e-9);
    EXPECT_THAT(UnitStates(layer), testing::ElementsAre("always_on", "went_silent", "silent"));
    EXPECT_EQ(layer["unit_health"][1]["samples_since_active"], 20);
    EXPECT_EQ(layer["unit_health"][1]["reference_active"], 100);
  }
}

// The units of a layer that a server of `graph` calls silent once it has served the held-back digits.
UnitSet SilentWhenServed(const Graph& graph, const std::string& layer, const std::vector<int64_t>& row_shape) {
  const std::string name = absl::StrCat("killed_", getpid());
  const auto file = std::filesystem::path(testing::TempDir()) / (name + ".onnx");
  std::ofstream(file, std::ios::binary) << *WriteOnnx(graph);
  Options options;
  options.activity_window = 360;
  options.model = file.string();
  RunningServer server(options);
  std::filesystem::remove(file);
  std::vector<float> outputs;
  Accuracy(server, name, row_shape, outputs);
  nlohmann::json health;
  do {  // an answer does not wait for its counting
    health = nlohmann::json::parse(server.Get("/v1/models/" + name + "/health?units=" + layer));
  } while (health["samples_seen"] < 360);
  UnitSet silent;
  for (const nlohmann::json& of : health["layers"]) {
    if (of["name"] != layer) continue;
    const std::vector<std::string> states = UnitStates(of);
    for (size_t unit = 0; unit < states.size(); ++unit) {
      if (states[unit] == "silent") silent.insert(static_cast<int64_t>(unit));
    }
  }
  return silent;
}

TEST(Server, UnitsKilledByHandAreNamedAndNoOthers) {
  struct Killed {
    std::string network, layer, activation;
    std::vector<int64_t> row_shape;
    UnitSet units;
  };
  for (const Killed& killed : {Killed{"digits_mlp", "fc2", "relu2", {64}, {6, 31, 62}},
                               Killed{"digits_cnn", "conv2", "relu2", {1, 8, 8}, {0, 9, 47}}}) {
    SCOPED_TRACE(killed.network);
    Graph graph = ReadOnnxFile((ProjectRoot() / "model" / "zoo" / (killed.network + ".onnx")).string())->graph;
    UnitSet expected = SilentWhenServed(graph, killed.activation, killed.row_shape);
    for (const int64_t unit : killed.units) EXPECT_TRUE(expected.insert(unit).second) << unit << " was silent before";
    KillUnits(killed.layer, killed.units, graph);
    EXPECT_EQ(SilentWhenServed(graph, killed.activation, killed.row_shape), expected);
  }
}

TEST(Server, HttpSaysWhatIsUnknownAndWhatFailedToLoad) {
  PlantedServer server(Options{});
  const auto error = [&](const std::string& path, int expected) -> std::string {
    int code = 0;
    const std::string body = server.Get(path, &code);
    EXPECT_EQ(code, expected) << path;
    const nlohmann::json json = nlohmann::json::parse(body, nullptr, false);
    return json.is_object() ? json.value("error", "") : "";
  };
  EXPECT_THAT(error("/v1/models/nobody/health", 404), HasSubstr("'nobody'"));
  EXPECT_THAT(error("/v1/models/planted/health?version=7", 404), HasSubstr("no version '7'"));
  EXPECT_THAT(error("/v1/models/planted/health?units=tanh", 404), HasSubstr("the model has relu"));
  EXPECT_THAT(error("/v1/models/broken/health", 503), HasSubstr("not an ONNX model"));
  EXPECT_EQ(error("/v1/models//health", 404), "");
  EXPECT_EQ(error("/v1/models/planted", 404), "");
}

TEST(Server, HttpNamesAreOnlyEverLookedUp) {
  PlantedServer server(Options{});
  int code = 0;
  for (const std::string& name :
       {std::string("%00"), std::string("..%2F..%2Fplanted"), std::string("%FF%22%0A"), std::string(8000, 'a')}) {
    EXPECT_TRUE(nlohmann::json::accept(server.Get("/v1/models/" + name + "/health", &code))) << name;
    EXPECT_EQ(code, 404) << name;
  }
  server.Get("/v1/models/" + std::string(10000, 'a') + "/health", &code);
  EXPECT_EQ(code, 414);
  server.Get("/v1/models/planted/health?units=" + std::string(7000, '*'), &code);
  EXPECT_EQ(code, 404);
  server.Get("/v1/models/planted/health", &code);
  EXPECT_EQ(code, 200);
}

TEST(Server, HttpDoesNotMultiplyAnAnswerByTheRangesAskedFor) {
  RunningServer server;
  httplib::Client client("127.0.0.1", server.app().http_port());
  for (const char* path : {"/metrics", "/v1/models/digits/health"}) {
    const auto result = client.Get(path, {{"Range", "bytes=0-,0-,0-"}});
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, 416);
    EXPECT_LT(result->body.size(), 500u);
  }
}

// A watch of the planted model, from when its server has taken the states at the start.
class Watch {
 public:
  explicit Watch(PlantedServer& server, uint32_t interval_ms = 100) {
    v1::WatchHealthRequest request;
    request.set_model_name("planted");
    request.set_interval_ms(interval_ms);
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    reader_ = server.health->WatchHealth(&context_, request);
    reader_->WaitForInitialMetadata();
  }
  ~Watch() {
    context_.TryCancel();
    if (!finished_) Finish();
  }

  // "initial: unit 2 is silent", "unit 1: active to silent"; "the end" after the last.
  std::string Next() {
    v1::HealthChange change;
    if (!reader_->Read(&change)) return "the end";
    EXPECT_EQ(change.layer(), "relu");
    EXPECT_EQ(change.family(), v1::LayerHealth::RECTIFIER);
    samples_seen = change.samples_seen();
    if (change.initial()) return absl::StrCat("initial: unit ", change.unit(), " is ", StateName(change.now()));
    return absl::StrCat("unit ", change.unit(), ": ", StateName(change.before()), " to ", StateName(change.now()));
  }

  grpc::Status Finish() {
    finished_ = true;
    v1::HealthChange change;
    while (reader_->Read(&change)) continue;
    return reader_->Finish();
  }

  uint64_t samples_seen = 0;  // that the last change told of

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::HealthChange>> reader_;
  bool finished_ = false;
};

Options SmallWindow() {
  Options options;
  options.activity_window = 20;
  return options;
}

TEST(Server, AWatchSeesUnitsDieAndWakeUp) {
  PlantedServer server(SmallWindow());
  Watch watch(server);
  server.Serve(19, 1, 1);  // no full window: nothing is said of the third unit
  server.Serve(20, 1, 1);
  EXPECT_EQ(watch.Next(), "unit 0: active to always_on");
  EXPECT_EQ(watch.samples_seen, 39u);
  EXPECT_EQ(watch.Next(), "unit 1: active to always_on");
  EXPECT_EQ(watch.Next(), "unit 2: active to silent");
  server.Serve(20, 1, -1);
  EXPECT_EQ(watch.Next(), "unit 1: always_on to silent");
  server.Serve(10, 1, 1);
  EXPECT_EQ(watch.Next(), "unit 1: silent to active");
  EXPECT_EQ(watch.samples_seen, 69u);

  Watch late(server);
  EXPECT_EQ(late.Next(), "initial: unit 0 is always_on");
  EXPECT_EQ(late.Next(), "initial: unit 2 is silent");
  server.Serve(20, 0, 1);
  EXPECT_EQ(late.Next(), "unit 0: always_on to silent");
}

TEST(Server, AWatchSeesAUnitGoSilentAgainstTheReference) {
  Options options = SmallWindow();
  options.profile_from_first = 100;
  PlantedServer server(options);
  server.Serve(100, 1, 1);
  Watch watch(server);
  EXPECT_EQ(watch.Next(), "initial: unit 0 is always_on");
  EXPECT_EQ(watch.Next(), "initial: unit 1 is always_on");
  EXPECT_EQ(watch.Next(), "initial: unit 2 is silent");
  server.Serve(20, 1, -1);
  EXPECT_EQ(watch.Next(), "unit 1: always_on to went_silent");
}

TEST(Server, StoppingEndsWatchesWithinSeconds) {
  PlantedServer server(SmallWindow());
  Watch idle(server, 3'600'000);
  Watch busy(server);
  const absl::Time start = absl::Now();
  server.app().Stop();
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
  for (Watch* watch : {&idle, &busy}) {
    const grpc::Status status = watch->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(status.error_message(), "the server is stopping");
  }
  EXPECT_THAT(server.app().MetricsText(),
              HasSubstr("halfwave_requests_total{code=\"UNAVAILABLE\",method=\"WatchHealth\"} 2"));
}

TEST(Server, AsManyWatchAsMayAndOneThatLeavesMakesRoom) {
  PlantedServer server(SmallWindow());
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 16; ++i) watches.push_back(std::make_unique<Watch>(server));
  const grpc::Status refused = Watch(server).Finish();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("16 health watches"));
  watches.pop_back();
  server.Serve(20, 1, 1);
  while (Watch(server).Next() == "the end") continue;  // the server looks ten times a second whether a client has gone
}

TEST(Server, AWatchThatCannotBeIsRefused) {
  PlantedServer server(SmallWindow());
  const auto code = [&](const std::string& model, uint32_t interval_ms) {
    v1::WatchHealthRequest request;
    request.set_model_name(model);
    request.set_interval_ms(interval_ms);
    grpc::ClientContext context;
    return server.health->WatchHealth(&context, request)->Finish().error_code();
  };
  EXPECT_EQ(code("nobody", 0), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(code("broken", 0), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(code("planted", 99), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(Server, ConcurrentRequestsEachGetTheirOwnAnswer) {
  RunningServer server;
  constexpr int kClients = 8;
  constexpr int kRequests = 50;
  const std::vector<float> pixels = Noise(kClients * 64, 3, 0, 1);
  std::vector<std::future<int>> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.push_back(std::async(std::launch::async, [&, c] {
      const std::vector<float> mine(pixels.begin() + c * 64, pixels.begin() + (c + 1) * 64);
      std::vector<float> first;
      int wrong = 0;
      for (int i = 0; i < kRequests; ++i) {
        inference::ModelInferResponse response;
        if (!Infer(server, DigitsRequest(mine), response).ok()) return kRequests;
        const auto values = Floats(response.raw_output_contents(0));
        if (first.empty()) first = values;
        wrong += WithinTolerance(first, values) ? 0 : 1;
      }
      return wrong;
    }));
  }
  for (auto& client : clients) EXPECT_EQ(client.get(), 0);
  EXPECT_THAT(server.Get("/metrics"), HasSubstr("halfwave_requests_total{code=\"OK\",method=\"ModelInfer\"} 400"));
}

TEST(Server, StoppingAnswersWhatWasAcceptedAndRefusesTheRest) {
  RunningServer server;
  std::atomic<int> answered{0}, refused{0}, other{0};
  std::atomic<bool> under_way{false};
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        inference::ModelInferResponse response;
        const grpc::Status status = Infer(server, DigitsRequest(std::vector<float>(64, 0.5f)), response);
        if (status.ok()) {
          ++answered;
          under_way = true;
        } else if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
          ++refused;
          return;
        } else {
          ++other;
          ADD_FAILURE() << status.error_code() << ": " << status.error_message();
          return;
        }
      }
    });
  }
  while (!under_way) std::this_thread::yield();
  server.app().Stop();
  for (std::thread& client : clients) client.join();
  EXPECT_GT(answered, 0);
  EXPECT_EQ(refused, 4);
  EXPECT_EQ(other, 0);
}

TEST(Server, OneBadFileAmongSeveralIsReportedAndTheOthersServe) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "halfwave_two_models";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "broken.onnx") << "this is no model";
  std::filesystem::copy_file(ProjectRoot() / "model" / "zoo" / "digits_cnn.onnx", folder / "good.onnx",
                             std::filesystem::copy_options::overwrite_existing);
  Options options;
  options.model = folder.string();
  RunningServer server(options);
  inference::ModelInferResponse response;
  EXPECT_TRUE(Infer(server, DigitsRequest(std::vector<float>(64, 0), "good"), response).ok());
  const grpc::Status status = Infer(server, DigitsRequest(std::vector<float>(64, 0), "broken"), response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("not an ONNX model"));

  grpc::ClientContext context;
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(server.stub->RepositoryIndex(&context, {}, &index).ok());
  ASSERT_EQ(index.models_size(), 2);
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_EQ(index.models(1).state(), "READY");
  std::filesystem::remove_all(folder);
}

TEST(Server, APortInUseIsNamed) {
  RunningServer first;
  Options options;
  options.grpc = absl::StrCat("127.0.0.1:", first.app().grpc_port());
  options.http = "127.0.0.1:0";
  App second(options);
  absl::Status status = second.Start();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), AllOf(HasSubstr(options.grpc), HasSubstr("--grpc")));
  options.grpc = "127.0.0.1:0";
  options.http = absl::StrCat("127.0.0.1:", first.app().http_port());
  App third(options);
  status = third.Start();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), AllOf(HasSubstr(options.http), HasSubstr("--http")));
}

TEST(Server, ReadinessIsTheSameEverywhere) {
  RunningServer server;
  int code = 0;
  server.Get("/readyz", &code);
  EXPECT_EQ(code, 200);
  server.Get("/healthz", &code);
  EXPECT_EQ(code, 200);
  grpc::ClientContext context, model_context, unknown_context;
  inference::ServerReadyResponse ready;
  ASSERT_TRUE(server.stub->ServerReady(&context, {}, &ready).ok());
  EXPECT_TRUE(ready.ready());
  inference::ModelReadyRequest request;
  inference::ModelReadyResponse model_ready;
  request.set_name("digits");
  ASSERT_TRUE(server.stub->ModelReady(&model_context, request, &model_ready).ok());
  EXPECT_TRUE(model_ready.ready());
  request.set_name("nobody");
  EXPECT_EQ(server.stub->ModelReady(&unknown_context, request, &model_ready).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST(Server, MetadataTellWhatClientsNeed) {
  RunningServer server;
  grpc::ClientContext context, server_context;
  inference::ModelMetadataRequest request;
  inference::ModelMetadataResponse metadata;
  request.set_name("digits");
  ASSERT_TRUE(server.stub->ModelMetadata(&context, request, &metadata).ok());
  EXPECT_EQ(metadata.platform(), "onnx_onnxv1");
  EXPECT_THAT(metadata.versions(), testing::ElementsAre("1"));
  EXPECT_THAT(metadata.inputs(0).shape(), testing::ElementsAre(-1, 1, 8, 8));
  EXPECT_THAT(metadata.outputs(0).shape(), testing::ElementsAre(-1, 10));
  EXPECT_THAT(metadata.properties().at("halfwave.labels"), HasSubstr("\"7\""));
  EXPECT_EQ(metadata.properties().at("halfwave.head"), "softmax");
  EXPECT_EQ(metadata.properties().at("halfwave.sha256").size(), 64u);
  inference::ServerMetadataResponse server_metadata;
  ASSERT_TRUE(server.stub->ServerMetadata(&server_context, {}, &server_metadata).ok());
  EXPECT_EQ(server_metadata.name(), "halfwave");
}

TEST(Server, ADeadlineInThePastIsNotAnsweredLate) {
  RunningServer server;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  inference::ModelInferResponse response;
  EXPECT_EQ(server.stub->ModelInfer(&context, DigitsRequest(std::vector<float>(64, 0)), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace halfwave
