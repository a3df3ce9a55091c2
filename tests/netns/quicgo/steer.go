package main

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"math/bits"
	"net"
)

const room = "QUICGO"

// The group of a room (docs/protocol.md, "Shards"): SipHash-1-3 under the key "lanparty-shard-1", modulo 32.
func groupOf(code string) int {
	key := []byte("lanparty-shard-1")
	k0, k1 := binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:])
	v := [4]uint64{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	round := func() {
		v[0] += v[1]
		v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
		v[0] = bits.RotateLeft64(v[0], 32)
		v[2] += v[3]
		v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
		v[0] += v[3]
		v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
		v[2] += v[1]
		v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
		v[2] = bits.RotateLeft64(v[2], 32)
	}
	text := []byte(code)
	whole := len(text) / 8 * 8
	last := make([]byte, 8)
	copy(last, text[whole:])
	last[7] = byte(len(text))
	for text = append(text[:whole:whole], last...); len(text) > 0; text = text[8:] {
		word := binary.LittleEndian.Uint64(text)
		v[3] ^= word
		round()
		v[0] ^= word
	}
	v[2] ^= 0xff
	round()
	round()
	round()
	return int((v[0] ^ v[1] ^ v[2] ^ v[3]) % 32)
}

var errOtherGroup = errors.New("the first connection ID does not lead there")

// A socket that lets a connection begin only with a connection ID of one group: quic-go draws them by itself.
type steeredSocket struct {
	net.PacketConn
	group int
	begun bool
}

func (socket *steeredSocket) WriteTo(packet []byte, to net.Addr) (int, error) {
	if !socket.begun && (len(packet) < 7 || packet[0]&0x80 == 0 || int(packet[6]>>3) != socket.group) {
		return 0, errOtherGroup
	}
	socket.begun = true
	return socket.PacketConn.WriteTo(packet, to)
}

// Draws connections until one begins with the group, before a packet leaves: one in 32 does.
func dialGroup(ctx context.Context, group int, config *tls.Config, datagrams bool) (quicConn, error) {
	remote, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	for {
		plain, err := net.ListenUDP("udp", nil)
		if err != nil {
			return nil, err
		}
		socket := &steeredSocket{PacketConn: plain, group: group}
		conn, err := dial(ctx, socket, remote, config, datagrams)
		if err == nil || socket.begun || ctx.Err() != nil {
			return conn, err
		}
		plain.Close()
	}
}
