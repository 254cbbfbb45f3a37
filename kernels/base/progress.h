/* progress.h - how far along, and how long still, on stderr.
 *
 * On a terminal one line is redrawn a few times a second; elsewhere a line is printed every ten
 * seconds. Quiet prints nothing. Safe to call from several threads.
 *
 * May include: status.h.
 */
#ifndef ST_BASE_PROGRESS_H
#define ST_BASE_PROGRESS_H

#include "kernels/base/status.h"

typedef struct st_progress st_progress;

typedef enum st_voice { ST_VOICE_NORMAL, ST_VOICE_QUIET } st_voice;

/* `what` names the unit of work in the plural: "scenes". Borrowed until the end. */
ST_CHECKED st_status st_progress_create(st_progress **progress, const char *what, size_t total,
                                        st_voice voice);
void st_progress_step(st_progress *progress);
void st_progress_free(st_progress *progress);       /* clears the line */

/* Seconds on a steady clock, from an arbitrary start. */
double st_clock_s(void);

#endif
