-- Add, change or remove one application, where nobody has changed any of them since they were read.
-- Keys, all below the prefix P:
--   P:apps, P:apps:version   as in applications_read.lua
-- Channel: P:all
-- ARGV: P, the version that was read ('' for none), the version to be, app_id, JSON or '' to remove it
-- Answers: 1 done, 0 somebody was faster
local p = ARGV[1]
if (redis.call('GET', p .. ':apps:version') or '') ~= ARGV[2] then return 0 end
if ARGV[5] == '' then
  redis.call('HDEL', p .. ':apps', ARGV[4])
else
  redis.call('HSET', p .. ':apps', ARGV[4], ARGV[5])
end
redis.call('SET', p .. ':apps:version', ARGV[3])
redis.call('PUBLISH', p .. ':all', 'A\n')
return 1
