#include "client/inference_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/puppet_server.h"

namespace halfwave::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kDeadline = absl::Seconds(20);

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(InferenceClient, BringsRowsThereAndAnswersBack) {
  PuppetServer server;
  InferenceClient client(server.address(), kDeadline);
  const std::vector<float> rows = {1, 2, 3, 4};
  for (const bool typed : {false, true}) {
    server.typed_contents = typed;
    const auto output = client.Infer({"m", "", "x", {2, 2}, rows});
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->values, rows);
    EXPECT_THAT(output->shape, ElementsAre(2, 2));
    EXPECT_EQ(output->version, "1");
  }
}

TEST(InferenceClient, TellsLabelsFromScoresWhicheverComesFirst) {
  PuppetServer server;
  InferenceClient client(server.address(), kDeadline);
  const std::vector<float> rows = {1, 2, 3, 4};
  server.first_outputs = {{"INT32", std::string("\x05\0\0\0", 4)}, {"FP32", std::string(4, '\0')}};
  const auto output = client.Infer({"m", "", "x", {2, 2}, rows});
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_EQ(output->values, rows);  // not the floating output of one value a row
  EXPECT_THAT(output->labels, ElementsAre("5", "5"));
  server.scores = false;
  const auto single = client.Infer({"m", "", "x", {2, 2}, rows});
  ASSERT_TRUE(single.ok()) << single.status();
  EXPECT_THAT(single->values, ElementsAre(0, 0));
}

TEST(InferenceClient, LabelsThatAreCutOffAreAnError) {
  PuppetServer server;
  InferenceClient client(server.address(), kDeadline);
  const std::vector<float> rows = {1, 2};
  for (const std::string& raw : {std::string(), std::string("\x05\0\0\0cat", 7)}) {
    server.first_outputs = {{"BYTES", raw}};
    EXPECT_THAT(Message(client.Infer({"m", "", "x", {1, 2}, rows}).status()),
                HasSubstr("output 'label': expected 1 values, the server sent 0"));
  }
}

TEST(InferenceClient, AnAnswerOfATypeItDoesNotKnowIsAnError) {
  PuppetServer server;
  InferenceClient client(server.address(), kDeadline);
  const std::vector<float> rows = {1, 2};
  server.first_outputs = {{"INT4", "\x01"}};
  server.scores = false;
  EXPECT_THAT(Message(client.Infer({"m", "", "x", {1, 2}, rows}).status()), HasSubstr("the server sent INT4"));
}

TEST(InferenceClient, GivesTheServersOwnErrorOn) {
  PuppetServer server;
  server.infer_status = {grpc::StatusCode::UNAVAILABLE, "the queue is full"};
  InferenceClient client(server.address(), kDeadline);
  const std::vector<float> row = {1, 2};
  const absl::Status status = client.Infer({"m", "", "x", {1, 2}, row}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(Message(status), "the queue is full");
  EXPECT_FALSE(IsUnreachable(status));
}

TEST(InferenceClient, SaysWhenNoServerAnswers) {
  const std::string address = DeadAddress();
  InferenceClient client(address, kDeadline);
  const absl::Status status = client.Index().status();
  EXPECT_TRUE(IsUnreachable(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("no server answers at " + address));
  EXPECT_THAT(Message(status), HasSubstr("halfwave-server"));
}

TEST(InferenceClient, WaitsNoLongerThanTheDeadline) {
  PuppetServer server;
  server.before_infer = [](grpc::ServerContext& context) {
    while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
  };
  InferenceClient client(server.address(), absl::Milliseconds(200));
  const std::vector<float> row = {1, 2};
  const absl::Status status = client.Infer({"m", "", "x", {1, 2}, row}).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(Message(status), HasSubstr("within 200ms"));
}

TEST(InferenceClient, AnAnswerOfTheWrongSizeIsAnError) {
  PuppetServer server;
  InferenceClient client(server.address(), kDeadline);
  const std::vector<float> rows = {1, 2, 3, 4};
  EXPECT_THAT(Message(client.Infer({"m", "", "x", {1, 2}, rows}).status()), HasSubstr("expected 2 values"));
}

}  // namespace
}  // namespace halfwave::client
