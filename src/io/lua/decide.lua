-- SPDX-License-Identifier: Apache-2.0
-- DECIDE: an operator says where a stopped partition goes on. Whoever has it takes that up; SETTLED
-- drops it with the first base that comes of it.
--
-- KEYS  1 epoch, 2 the decision
-- ARGV  1 "<offset> <topic id>"
--
-- Replies
--   decided
--   unknown   the data set isn't complete

if call('EXISTS', KEYS[1]) == 0 then
    return {'unknown'}
end
call('SET', KEYS[2], ARGV[1])
return {'decided'}
