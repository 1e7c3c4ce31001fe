printf 'Hello, %s!\n' {{ config.name }}
