-- SPDX-License-Identifier: Apache-2.0
-- DOUBT (design 2, "cold"): what is known here of a space turned out not to hold, so its next command
-- reads Harbor first.
--
-- KEYS  1 epoch, 2 space hash
--
-- Replies
--   filled       it is so, also when nothing is known of the space
--   rebuilding   the data set has no epoch

if call('GETRANGE', KEYS[1], 0, 63) == '' then
    return {'rebuilding'}
end
if call('HGET', KEYS[2], 'state') == 'present' then
    call('HSET', KEYS[2], 'verified_at', '0')
end
return {'filled'}
