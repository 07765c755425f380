module where

go 1.22
