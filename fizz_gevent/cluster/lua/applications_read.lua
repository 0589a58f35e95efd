-- Which applications there are, where that has changed.
-- Keys, all below the prefix P:
--   P:apps           hash: app_id -> the application as JSON, its keys those of the configuration file
--   P:apps:version   string: "<history> <number> <token>"; the number grows by 1 with each change, the
--                    history is another one after all data was lost
-- ARGV: P, the version that the node knows
-- Answers: nothing where that is the version still; else the version ('' for none), app_id, JSON, ...
local version = redis.call('GET', ARGV[1] .. ':apps:version') or ''
if version == ARGV[2] then return false end
local answer = redis.call('HGETALL', ARGV[1] .. ':apps')
table.insert(answer, 1, version)
return answer
