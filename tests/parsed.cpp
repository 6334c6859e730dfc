// SPDX-License-Identifier: MIT
// Nothing: its target precompiles the headers that tests share.
