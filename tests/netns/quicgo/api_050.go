//go:build quicgo050

// quic-go 0.50, as in Debian 13.
package main

import (
	"context"
	"crypto/tls"
	"time"

	quic "github.com/quic-go/quic-go"
)

type (
	quicConn         = quic.Connection
	quicStream       = quic.Stream
	applicationError = quic.ApplicationError
	transportError   = quic.TransportError
)

func dial(ctx context.Context, address string, config *tls.Config, datagrams bool) (quicConn, error) {
	return quic.DialAddr(ctx, address, config,
		&quic.Config{EnableDatagrams: datagrams, HandshakeIdleTimeout: 5 * time.Second, MaxIdleTimeout: 30 * time.Second})
}

func sendDatagram(conn quicConn, payload []byte) error {
	return conn.SendDatagram(payload)
}

func receiveDatagram(ctx context.Context, conn quicConn) ([]byte, error) {
	return conn.ReceiveDatagram(ctx)
}
