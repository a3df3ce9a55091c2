/* Frames of several flows, in order and not, whole and not: merged and taken apart again they are the same frames. */
#include "tests/offload/story.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	(void)story_tell(data, size);
	return 0;
}
