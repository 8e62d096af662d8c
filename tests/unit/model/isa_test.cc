// The list of instruction sets: its order, how one is forced, and what happens if it cannot be.
#include "model/kernels/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace halfwave::kernels {
namespace {

using ::testing::HasSubstr;

// Puts the choice back that the other tests of this program started with.
class IsaTest : public ::testing::Test {
 protected:
  void TearDown() override {
    unsetenv(kForceIsa);
    ASSERT_TRUE(SelectIsa().ok());
  }
};

TEST_F(IsaTest, ThePlainReferenceIsLastAndAlwaysAvailable) {
  ASSERT_FALSE(Isas().empty());
  EXPECT_STREQ(Isas().back().table->name, "reference");
  EXPECT_TRUE(Isas().back().available);
}

TEST_F(IsaTest, TheBestThatIsAvailableIsChosen) {
  ASSERT_TRUE(SelectIsa("").ok());
  for (const Isa& isa : Isas()) {
    if (!isa.available) continue;
    EXPECT_STREQ(Kernels().name, isa.table->name);
    break;
  }
}

TEST_F(IsaTest, EachAvailableOneCanBeForcedByTheEnvironment) {
  for (const Isa& isa : Isas()) {
    if (!isa.available) continue;
    setenv(kForceIsa, isa.table->name, 1);
    ASSERT_TRUE(SelectIsa().ok());
    EXPECT_STREQ(Kernels().name, isa.table->name);
  }
}

TEST_F(IsaTest, AnUnknownOneIsAnErrorThatListsWhatThereIsAndChangesNothing) {
  const KernelTable* before = &Kernels();
  const absl::Status status = SelectIsa("x86-64-v9");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("x86-64-v9"));
  for (const Isa& isa : Isas()) {
    if (!isa.available) continue;
    EXPECT_THAT(std::string(status.message()), HasSubstr(isa.table->name));
  }
  EXPECT_EQ(&Kernels(), before);
}

}  // namespace
}  // namespace halfwave::kernels
