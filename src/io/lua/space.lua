-- SPDX-License-Identifier: Apache-2.0
-- SPACE (design 6): what is known of one space. Writes nothing.
--
-- KEYS  1 epoch, 2 space hash
--
-- Replies
--   rebuilding   the data set has no epoch
--   space, epoch, token, held, fields
--                epoch: its beginning, which names the data set; token: of the last claim, or nil; held: 1 while a command
--                holds the lane; fields: the space's fields and values, one a line, or nil when
--                nothing is known of it

local epoch = call('GETRANGE', KEYS[1], 0, 63)
if epoch == '' then
    return {'rebuilding'}
end
local token, state, holder = unpack(call('HMGET', KEYS[2], 'token', 'state',
    'holder_command'))
return {'space', epoch, token, holder and 1 or 0,
    state and table.concat(call('HGETALL', KEYS[2]), '\n')}
