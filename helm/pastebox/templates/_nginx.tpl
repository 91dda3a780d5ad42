{{/* The configuration of the nginx before the application. */}}
{{- define "pastebox.nginx" -}}
{{- $f := .Values.frontend -}}
{{- $kind := $f.protocol -}}
daemon off;
worker_processes 1;
worker_shutdown_timeout {{ include "pastebox.wholeSeconds" .Values.drain.timeout }}s;
pid /tmp/nginx.pid;
error_log /dev/stderr warn;
events { worker_connections 4096; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log off;
  server_tokens off;
  sendfile on;
  client_max_body_size {{ $f.maxBodySize }};
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  scgi_temp_path /tmp/scgi;
  uwsgi_temp_path /tmp/uwsgi;
  # The port that the client asked for: Debian's parameters leave it out, and redirects would miss it.
  map $http_host $with_port {
    default "";
    "~(?<digits>:[0-9]+)$" $digits;
  }
  upstream application { server unix:{{ include "pastebox.socketPath" . }} max_fails=0; }
  server {
    listen {{ .Values.server.port }} default_server;
    {{- range $number, $static := $f.static }}
    location {{ $static.url }} { alias /srv/static/{{ $number }}/; }
    {{- end }}
    location / {
      include /etc/nginx/{{ $kind }}_params;
      {{ $kind }}_param HTTP_HOST $host$with_port;
      {{ $kind }}_pass application;
      {{ $kind }}_buffering off;
      {{ $kind }}_read_timeout 1h;
    }
    {{- with $f.extraConfig }}
    {{- . | nindent 4 }}
    {{- end }}
  }
}
{{- end -}}
