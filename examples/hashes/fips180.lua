-- The example messages of SHA-256 and SHA-512 and their digests, as NIST publishes them:
--   FIPS 180-4, "Secure Hash Standard": one block and two blocks, in "Examples with Intermediate Values" for SHA-256 and
--   SHA-512; one million times "a", in the examples of FIPS 180-2, appendices B.3 and C.3;
--   the empty message, in the test vectors of the Cryptographic Algorithm Validation Program (SHA256ShortMsg and
--   SHA512ShortMsg, Len = 0).
local empty = { name = "the empty message", message = "" }
local one_block = { name = "'abc'", message = "abc" }
local two_blocks_448 = {
  name = "the 448-bit message",
  message = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
}
local two_blocks_896 = {
  name = "the 896-bit message",
  message = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrst"
    .. "nopqrstu",
}
local million = { name = "one million 'a'", message = ("a"):rep(1000000) }

local function with(example, digest)
  return { name = example.name, message = example.message, digest = digest }
end

return {
  sha256 = {
    with(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    with(one_block, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    with(two_blocks_448, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    with(million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
  },
  sha512 = {
    with(empty, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      .. "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"),
    with(one_block, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
      .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"),
    with(two_blocks_896, "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
      .. "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"),
    with(million, "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
      .. "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b"),
  },
}
