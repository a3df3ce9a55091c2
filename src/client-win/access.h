/* client-win/access.h: who else may change a file or folder that is used with all rights. Rights are Windows' access
 * masks. */
#ifndef CLIENT_WIN_ACCESS_H
#define CLIENT_WIN_ACCESS_H

#include <stdbool.h>
#include <wchar.h>

/* All rights that others than the system, administrators and whoever runs this have, also over what will be or was made
 * inside; GENERIC_ALL when it can't be told, and of a link, which would lead elsewhere. 0 or an error number of
 * Windows.
 */
unsigned long winmain_rights_of_others(const wchar_t *path, unsigned long *ret_rights);
/* True when with one of these rights something can be changed. */
bool winmain_rights_change(unsigned long rights);

#endif
