# crm: build, install and test (PGXS).
#
#   make && make install && make installcheck     as for any extension
#   make test                                      every test there is, on a private server
#   make demo, make demo-stop                      real data on a private server, left running
#   make strict                                    build with warnings as errors
#   make bench                                     the measurements of test/bench

EXTENSION = crm
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" $(srcdir)/crm.control)
MODULE_big = crm
PGFILEDESC = "crm - customer relationship management"

# The C of each room, in the order of the data flow.
OBJS = \
	src/crm.o \
	src/setup.o \
	src/spi_plan.o \
	src/own_table.o \
	src/customer_text_math.o \
	src/customer_domain_math.o \
	src/customer_email.o \
	src/customer_email_math.o \
	src/customer_phone.o \
	src/customer_phone_math.o \
	src/customer_phone_shim.o \
	src/customer_web_math.o \
	src/customer_contact.o \
	src/channel.o \
	src/channel_math.o \
	src/channel_beta.o \
	src/channel_beta_math.o \
	src/channel_best_math.o \
	src/channel_prior.o \
	src/channel_prior_feature.o \
	src/channel_prior_loss.o \
	src/channel_prior_loss_math.o \
	src/channel_prior_math.o \
	src/channel_prior_rows_math.o \
	src/channel_reach.o \
	src/channel_reach_math.o \
	src/channel_gap.o \
	src/channel_gap_math.o \
	src/history.o \
	src/history_math.o \
	src/history_numeric.o \
	src/loop.o \
	src/loop_rules.o \
	src/loop_stamp.o \
	src/insight.o \
	src/insight_result.o \
	src/insight_predict.o \
	src/insight_interval.o \
	src/insight_special_math.o \
	src/insight_optimise_math.o \
	src/insight_timing_math.o \
	src/insight_discrete_math.o \
	src/insight_fit_math.o \
	src/insight_predict_math.o \
	src/outbox.o \
	src/outbox_cap.o \
	src/outbox_check.o \
	src/outbox_quiet.o \
	src/outbox_rules.o \
	src/outbox_step.o \
	src/partner.o \
	src/partner_gist.o \
	src/partner_math.o \
	src/access.o

# The extension script: types, operators, aggregates and C functions by room.
TYPES = \
	sql/types/crm.sql \
	sql/types/customer.sql \
	sql/types/channel.sql \
	sql/types/prior.sql \
	sql/types/choice.sql \
	sql/types/history.sql \
	sql/types/loop.sql \
	sql/types/insight.sql \
	sql/types/outbox.sql \
	sql/types/partner.sql \
	sql/types/access.sql \
	sql/types/announce.sql

# The schema script that crm.setup() runs: tables, views, triggers, functions.
SCHEMA = \
	sql/schema/installation.sql \
	sql/schema/customer.sql \
	sql/schema/interaction.sql \
	sql/schema/channel.sql \
	sql/schema/history.sql \
	sql/schema/loop.sql \
	sql/schema/loop_upkeep.sql \
	sql/schema/loop_machine.sql \
	sql/schema/prior.sql \
	sql/schema/insight.sql \
	sql/schema/insight_model.sql \
	sql/schema/consent.sql \
	sql/schema/consent_request.sql \
	sql/schema/outbox.sql \
	sql/schema/outbox_send.sql \
	sql/schema/outbox_reply.sql \
	sql/schema/choice.sql \
	sql/schema/choice_hour.sql \
	sql/schema/segment.sql \
	sql/schema/access_role.sql \
	sql/schema/partner.sql \
	sql/schema/partner_handover.sql \
	sql/schema/partner_objective.sql \
	sql/schema/upkeep.sql \
	sql/schema/access.sql \
	sql/schema/access_publication.sql

DATA_built = sql/crm--$(EXTVERSION).sql sql/crm-schema--$(EXTVERSION).sql
DOCS = $(wildcard doc/*.md)

REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --encoding=UTF8
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test --outputdir=. --encoding=UTF8

PG_CPPFLAGS = -I$(srcdir)/src
PG_CFLAGS = -fno-math-errno
# The phone shim is C++; everything else is C.
SHLIB_LINK = -lphonenumber -lidn2 -llbfgs -lstdc++ -lm

EXTRA_CLEAN = sql/crm--$(EXTVERSION).sql sql/crm-schema--$(EXTVERSION).sql build results output_iso tmp_check log regression.diffs regression.out

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
# Two goals do all the set-up themselves, so they must work where there is no PostgreSQL yet.
ifneq ($(filter-out test demo demo-stop bench unit,$(or $(MAKECMDGOALS),all)),)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) was not found: install the PostgreSQL server development files, or name it with PG_CONFIG=)
endif
endif
ifneq ($(PGXS),)
include $(PGXS)
else
srcdir = .
endif

# One script per kind, joined in the listed order; written whole or not at all.
sql/crm--$(EXTVERSION).sql: $(TYPES)
	cat $^ > $@.tmp && mv $@.tmp $@

sql/crm-schema--$(EXTVERSION).sql: $(SCHEMA)
	cat $^ > $@.tmp && mv $@.tmp $@

$(OBJS): $(wildcard $(srcdir)/src/*.h)

.PHONY: strict test demo demo-stop bench unit
strict:
	$(MAKE) all PG_CFLAGS="$(PG_CFLAGS) -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers -Wno-cast-function-type -Werror"

test:
	test/run

unit:
	test/run unit

demo:
	test/demo/run

demo-stop:
	test/demo/run stop

bench:
	test/bench/run
