"""Pages for people: rendered here, in Russian, without anything from outside: closed networks have no CDN."""
