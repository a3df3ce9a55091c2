//go:build quicgo029

// quic-go 0.29, as in Debian 12: datagrams are called messages.
package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	quic "github.com/lucas-clemente/quic-go"
)

type (
	quicConn         = quic.Connection
	quicStream       = quic.Stream
	applicationError = quic.ApplicationError
	transportError   = quic.TransportError
)

func dial(ctx context.Context, socket net.PacketConn, remote net.Addr, config *tls.Config, datagrams bool) (quicConn, error) {
	return quic.DialContext(ctx, socket, remote, "", config,
		&quic.Config{EnableDatagrams: datagrams, HandshakeIdleTimeout: 5 * time.Second, MaxIdleTimeout: 30 * time.Second})
}

func sendDatagram(conn quicConn, payload []byte) error {
	return conn.SendMessage(payload)
}

func receiveDatagram(ctx context.Context, conn quicConn) ([]byte, error) {
	type result struct {
		payload []byte
		err     error
	}
	done := make(chan result, 1)
	go func() {
		payload, err := conn.ReceiveMessage()
		done <- result{payload, err}
	}()
	select {
	case got := <-done:
		return got.payload, got.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
