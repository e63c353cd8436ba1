/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounds that more than one folder must agree on. Sizes of text include the terminating NUL.
 */
#ifndef BERTH_CORE_LIMITS_H
#define BERTH_CORE_LIMITS_H

/* Names (design: vocabulary). A registry is a configured name, so longer ones are unknown anyway.
 */
#define BERTH_REGISTRY_BYTES   64
#define BERTH_DEPLOYMENT_BYTES 33
#define BERTH_INSTANCE_BYTES   129
#define BERTH_WORKSPACE_BYTES  129

/* Harbor takes 255 bytes for a project; 190 leave room for the robot's part of a login name, which
 * Harbor stores as "<project>+<robot>" in 255 bytes. */
#define BERTH_SPACE_NAME_BYTES_MAX 190
/* What a command may carry as a name before it is refused: enough to echo it in the answer. */
#define BERTH_SPACE_BYTES 256

#define BERTH_ACTOR_BYTES       257
#define BERTH_UUID_BYTES        37
#define BERTH_TOPIC_BYTES       250 /* Kafka: 249 characters. */
#define BERTH_TRACEPARENT_BYTES 56  /* W3C trace context, version 00. */
#define BERTH_DIGEST_BYTES      32  /* SHA-256. */
#define BERTH_KEY_ID_BYTES      9   /* 8 hex digits. */
#define BERTH_ROBOT_NAME_BYTES  64  /* "ws-" and a slug of at most 54. */
#define BERTH_CODE_BYTES        48  /* A result's code, such as space.already_exists. */
#define BERTH_MESSAGE_BYTES     768 /* A result's sentence. */

#define BERTH_COMMAND_WORKSPACES_MAX 1000
#define BERTH_SPACE_BINDINGS_MAX     1000

#endif
