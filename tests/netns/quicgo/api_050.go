//go:build quicgo050

// quic-go 0.50, as in Debian 13.
package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	quic "github.com/quic-go/quic-go"
)

type (
	quicConn         = quic.Connection
	quicStream       = quic.Stream
	applicationError = quic.ApplicationError
	transportError   = quic.TransportError
)

func dial(ctx context.Context, socket net.PacketConn, remote net.Addr, config *tls.Config, datagrams bool) (quicConn, error) {
	return quic.Dial(ctx, socket, remote, config,
		&quic.Config{EnableDatagrams: datagrams, HandshakeIdleTimeout: 5 * time.Second, MaxIdleTimeout: 30 * time.Second})
}

func sendDatagram(conn quicConn, payload []byte) error {
	return conn.SendDatagram(payload)
}

func receiveDatagram(ctx context.Context, conn quicConn) ([]byte, error) {
	return conn.ReceiveDatagram(ctx)
}
