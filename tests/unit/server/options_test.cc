#include "server/options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace halfwave {
namespace {

ParsedOptions Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "halfwave-server");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

// Sets an environment variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Environment() { unsetenv(name_); }

 private:
  const char* name_;
};

std::string WriteConfig(const std::string& text) {
  const std::string path = testing::TempDir() + "/halfwave_options_test.toml";
  std::ofstream(path) << text;
  return path;
}

TEST(Options, NothingSetMeansTheBuiltInModelOnTheUsualPorts) {
  const ParsedOptions parsed = Parse({});
  EXPECT_EQ(parsed.exit_code, -1);
  EXPECT_EQ(parsed.options.model, "");
  EXPECT_EQ(parsed.options.grpc, "0.0.0.0:8001");
  EXPECT_EQ(parsed.options.http, "0.0.0.0:8000");
}

TEST(Options, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  const std::string config =
      WriteConfig("max-batch-rows = 1\nworkers = 11\nactivity-window = 111\nadd-softmax = true\n");
  const Environment workers("HALFWAVE_WORKERS", "22");
  const Environment window("HALFWAVE_ACTIVITY_WINDOW", "222");
  const ParsedOptions parsed = Parse({"--config", config.c_str(), "--activity-window", "333"});
  ASSERT_EQ(parsed.exit_code, -1);
  EXPECT_EQ(parsed.options.max_batch_rows, 1);
  EXPECT_EQ(parsed.options.workers, 22);
  EXPECT_EQ(parsed.options.activity_window, 333);
  EXPECT_TRUE(parsed.options.add_softmax);
}

TEST(Options, MistakesExitWithTwo) {
  EXPECT_EQ(Parse({"--no-such-option"}).exit_code, 2);
  EXPECT_EQ(Parse({"--max-batch-rows", "zero"}).exit_code, 2);
  EXPECT_EQ(Parse({"--max-batch-rows", "0"}).exit_code, 2);
  EXPECT_EQ(Parse({"--grpc", "localhost"}).exit_code, 2);
  EXPECT_EQ(Parse({"--http", "localhost:99999"}).exit_code, 2);
  EXPECT_EQ(Parse({"--weights", "int8"}).exit_code, 2);
  EXPECT_EQ(Parse({"--prune-proven", "--weights", "fp16"}).exit_code, 2);
  EXPECT_EQ(Parse({"--config", "/no/such/file.toml"}).exit_code, 2);
  const std::string config = WriteConfig("no-such-option = 1\n");
  EXPECT_EQ(Parse({"--config", config.c_str()}).exit_code, 2);
}

TEST(Options, HelpAndVersionExitWithZero) {
  EXPECT_EQ(Parse({"--help"}).exit_code, 0);
  EXPECT_EQ(Parse({"--version"}).exit_code, 0);
}

TEST(Options, AnAddressIsHostAndPort) {
  EXPECT_EQ(ParseAddress("grpc", "[::1]:80")->host, "::1");
  EXPECT_EQ(ParseAddress("grpc", "[::1]:80")->port, 80);
  EXPECT_FALSE(ParseAddress("grpc", "::1:80").ok());
  EXPECT_FALSE(ParseAddress("grpc", ":80").ok());
  EXPECT_FALSE(ParseAddress("grpc", "a:").ok());
  EXPECT_FALSE(ParseAddress("grpc", "a:-1").ok());
}

}  // namespace
}  // namespace halfwave
