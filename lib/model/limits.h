/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HALE_MODEL_LIMITS_H
#define HALE_MODEL_LIMITS_H
/*
 * limits - every ceiling of the domain in one place. The first group is Monasca's (monasca-common
 * validation); changing it breaks clients.
 */
#define HALE_NAME_MAX_CHARS           255 /* metric name, code points, 1.. */
#define HALE_DIM_KEY_MAX_CHARS        255 /* 1.. */
#define HALE_DIM_VALUE_MAX_CHARS      255 /* 1.. */
#define HALE_META_MAX_KEYS            16
#define HALE_META_KEY_MAX_CHARS       255
#define HALE_META_MAX_CHARS           2048 /* whole JSON text as Python's json.dumps writes it */
#define HALE_DEF_NAME_MAX_CHARS       255
#define HALE_DEF_DESC_MAX_CHARS       255
#define HALE_ACTION_ID_MAX_CHARS      50
#define HALE_METHOD_NAME_MAX_CHARS    250
#define HALE_METHOD_TYPE_MAX_CHARS    20
#define HALE_METHOD_ADDRESS_MAX_CHARS 512
#define HALE_LIST_LIMIT               10000 /* default and cap of limit= */

#define HALE_DIMS_MAX           64    /* dimensions per series (ours; Monasca has none) */
#define HALE_SERIES_MAX_BYTES   65000 /* canonical form */
#define HALE_TENANT_MAX_BYTES   64
#define HALE_METHODS_MAX        1000 /* notification methods of all tenants */
#define HALE_EXPR_MAX_BYTES     16384
#define HALE_EXPR_MAX_SUBS      64
#define HALE_EXPR_MAX_DEPTH     64 /* nesting of parentheses */
#define HALE_EXPR_MAX_PERIOD_S  86400
#define HALE_EXPR_MAX_WINDOW_S  2592000 /* a period with `every` */
#define HALE_EXPR_MAX_TIMES     1440    /* and steps of all windows of a comparison */
#define HALE_EXPR_MAX_SKETCHES  32      /* times of percentile */
#define HALE_EXPR_MIN_DAYS      3       /* baseline: looked back */
#define HALE_EXPR_MAX_DAYS      28
#define HALE_EXPR_DEFAULT_DAYS  7
#define HALE_EXPR_MAX_HORIZON_S 2592000
#define HALE_BATCH_MAX_SAMPLES  65536 /* per stream entry; larger POSTs are split */
#define HALE_EVENT_MAX_BYTES    65536 /* one fault event as JSON */
#endif
