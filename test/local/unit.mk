# Builds one test program of test/unit or test/fuzz; run from the top folder with TEST, CC and SANITIZE.
# The program says in its first lines what it is made of:
#   /* sources: gateway/url.c extension/keys/jws.c */
#   /* libs: crypto */
# gateway/limits.h must not hide <limits.h>, hence its folder is searched last.
name := $(basename $(notdir $(TEST)))
out := .build/$(notdir $(patsubst %/,%,$(dir $(TEST))))/$(name)
said = $(shell sed -n 's|^/\* *$(1): *\(.*[^ ]\) *\*/$$|\1|p' '$(TEST)')
sources := $(TEST) $(call said,sources)
objects := $(patsubst %.c,$(out)/%.o,$(sources))

CFLAGS = -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Werror \
	-Wno-unused-parameter -Wno-sign-compare -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-I. -Iextension -I$(dir $(TEST)) -idirafter gateway -idirafter /usr/include/postgresql \
	-MMD -MP

$(out)/$(name): $(objects)
	$(CC) -fsanitize=$(SANITIZE) -o $@ $^ $(addprefix -l,$(call said,libs))

$(out)/%.o: %.c
	@mkdir -p $(dir $@)
	$(CC) $(CFLAGS) -c -o $@ $<

-include $(objects:.o=.d)
