-- Digests: SHA-256 (FIPS 180-4) and MD5 (RFC 1321) with LuaJIT's bit library, and how to write them.
local digest = {}

local band, bor, bxor, bnot = bit.band, bit.bor, bit.bxor, bit.bnot
local rol, ror, rshift, tobit = bit.rol, bit.ror, bit.rshift, bit.tobit

local function word_bytes(word, big_endian)
  local a, b, c, d = rshift(word, 24), band(rshift(word, 16), 255), band(rshift(word, 8), 255), band(word, 255)
  if big_endian then return string.char(a, b, c, d) end
  return string.char(d, c, b, a)
end

local function padded(text, big_endian)
  local bits = #text * 8
  local high, low = word_bytes(tobit(math.floor(bits / 2 ^ 32)), big_endian), word_bytes(tobit(bits % 2 ^ 32), big_endian)
  local zeros = ("\0"):rep((55 - #text) % 64)
  return text .. "\128" .. zeros .. (big_endian and high .. low or low .. high)
end

-- The first 32 bits of the fractional parts of roots of primes, as FIPS 180-4 defines its constants.
local function root_bits(prime, power)
  local root = prime ^ power
  -- Newton's step mends the last bits that pow may lose.
  local n = 1 / power
  root = root - (root ^ n - prime) / (n * root ^ (n - 1))
  return tobit(math.floor((root - math.floor(root)) * 2 ^ 32))
end

local PRIMES = {}
do
  local candidate = 2
  while #PRIMES < 64 do
    local prime = true
    for _, known in ipairs(PRIMES) do
      if candidate % known == 0 then prime = false end
    end
    if prime then PRIMES[#PRIMES + 1] = candidate end
    candidate = candidate + 1
  end
end

local SHA_KEYS, SHA_START, MD5_KEYS = {}, {}, {}
for place = 1, 64 do
  SHA_KEYS[place] = root_bits(PRIMES[place], 1 / 3)
  MD5_KEYS[place] = tobit(math.floor(math.abs(math.sin(place)) * 2 ^ 32))
end
for place = 1, 8 do SHA_START[place] = root_bits(PRIMES[place], 1 / 2) end

local function sha_block(state, message, offset)
  local words = {}
  for place = 1, 16 do
    local a, b, c, d = message:byte(offset + place * 4 - 3, offset + place * 4)
    words[place] = tobit(a * 2 ^ 24 + b * 2 ^ 16 + c * 2 ^ 8 + d)
  end
  for place = 17, 64 do
    local early, late = words[place - 15], words[place - 2]
    local s0 = bxor(ror(early, 7), ror(early, 18), rshift(early, 3))
    local s1 = bxor(ror(late, 17), ror(late, 19), rshift(late, 10))
    words[place] = tobit(words[place - 16] + s0 + words[place - 7] + s1)
  end
  local a, b, c, d, e, f, g, h = unpack(state)
  for place = 1, 64 do
    local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
    local one = tobit(h + s1 + bxor(band(e, f), band(bnot(e), g)) + SHA_KEYS[place] + words[place])
    local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
    local two = tobit(s0 + bxor(band(a, b), band(a, c), band(b, c)))
    h, g, f, e, d, c, b, a = g, f, e, tobit(d + one), c, b, a, tobit(one + two)
  end
  local after = {a, b, c, d, e, f, g, h}
  for place = 1, 8 do state[place] = tobit(state[place] + after[place]) end
end

function digest.sha256(text)
  local message, state = padded(text, true), {unpack(SHA_START)}
  for offset = 0, #message - 64, 64 do sha_block(state, message, offset) end
  for place = 1, 8 do state[place] = word_bytes(state[place], true) end
  return table.concat(state)
end

local MD5_TURNS = { {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21} }

local function md5_block(state, message, offset)
  local words = {}
  for place = 0, 15 do
    local a, b, c, d = message:byte(offset + place * 4 + 1, offset + place * 4 + 4)
    words[place] = tobit(d * 2 ^ 24 + c * 2 ^ 16 + b * 2 ^ 8 + a)
  end
  local a, b, c, d = unpack(state)
  for place = 0, 63 do
    local round, mix, word = math.floor(place / 16), nil, nil
    if round == 0 then mix, word = bor(band(b, c), band(bnot(b), d)), place
    elseif round == 1 then mix, word = bor(band(d, b), band(bnot(d), c)), (5 * place + 1) % 16
    elseif round == 2 then mix, word = bxor(b, c, d), (3 * place + 5) % 16
    else mix, word = bxor(c, bor(b, bnot(d))), (7 * place) % 16 end
    local sum = tobit(a + mix + MD5_KEYS[place + 1] + words[word])
    a, d, c, b = d, c, b, tobit(b + rol(sum, MD5_TURNS[round + 1][place % 4 + 1]))
  end
  local after = {a, b, c, d}
  for place = 1, 4 do state[place] = tobit(state[place] + after[place]) end
end

function digest.md5(text)
  local message, state = padded(text, false), {tobit(0x67452301), tobit(0xEFCDAB89), tobit(0x98BADCFE), tobit(0x10325476)}
  for offset = 0, #message - 64, 64 do md5_block(state, message, offset) end
  for place = 1, 4 do state[place] = word_bytes(state[place], false) end
  return table.concat(state)
end

function digest.hex(bytes)
  return (bytes:gsub(".", function(char) return string.format("%02x", char:byte()) end))
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function digest.base64(bytes)
  local parts = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local number = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 1, 4 do
      local index = math.floor(number / 64 ^ (4 - place)) % 64 + 1
      local padding = place == 3 and not b or place == 4 and not c
      parts[#parts + 1] = padding and "=" or ALPHABET:sub(index, index)
    end
  end
  return table.concat(parts)
end
